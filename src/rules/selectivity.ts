/** Which of its anchors a rule is filed under: those that, as far as the set of rules shows, the fewest events have. */
import type { Anchor, Key, Offer, Subject } from './anchors.ts'

/** Names a subject: the same for all anchors that share its values. */
export const subjectId = ({ name, asText }: Subject): string => `${asText ? 'text' : 'value'} ${name}`

/**
 * How many other values a subject is taken to have beside those that rules name: with few rules, a name is worth more
 * than a field, and a field more than a source, a tag or a priority.
 */
const OTHERS: ReadonlyMap<string, number> = new Map([
  ['rule', 100],
  ['source', 0],
  ['tags', 0],
  ['priority', 0],
])
const OTHERS_OF_A_FIELD = 20

interface Spread {
  total: number
  readonly byKey: Map<Key, number>
}

type Spreads = ReadonlyMap<string, Spread>

/**
 * Chooses for each rule. Events are taken to be spread over the values of a subject as the rules are: where all rules
 * share a few names, their fields tell them apart.
 * @returns for each offer its anchors, under all of which the rule must be filed; undefined for no offer
 */
export const mostSelective = (offers: readonly (Offer | undefined)[]): (readonly Anchor[] | undefined)[] => {
  const spreads = spreadsOf(offers)
  return offers.map((offer) => offer && chosen(offer, spreads).anchors)
}

const spreadsOf = (offers: readonly (Offer | undefined)[]): Spreads => {
  const spreads = new Map<string, Spread>()
  const count = (offer: Offer): void => {
    if (offer.kind !== 'anchor') return offer.items.forEach(count)
    const id = subjectId(offer.subject)
    const spread = spreads.get(id) ?? { total: OTHERS.get(offer.subject.name) ?? OTHERS_OF_A_FIELD, byKey: new Map() }
    spreads.set(id, spread)
    spread.total += offer.keys.length
    for (const key of offer.keys) spread.byKey.set(key, (spread.byKey.get(key) ?? 0) + 1)
  }
  for (const offer of offers) if (offer) count(offer)
  return spreads
}

interface Choice {
  readonly anchors: readonly Anchor[]
  /** The share of events that will be found by them; of a union at most their sum. */
  readonly share: number
}

const chosen = (offer: Offer, spreads: Spreads): Choice => {
  if (offer.kind === 'anchor') return { anchors: [offer], share: shareOf(offer, spreads.get(subjectId(offer.subject))) }
  const choices = offer.items.map((item) => chosen(item, spreads))
  if (offer.kind === 'choice') return choices.reduce((best, other) => (other.share < best.share ? other : best))
  return {
    anchors: choices.flatMap(({ anchors }) => anchors),
    share: choices.reduce((sum, { share }) => sum + share, 0),
  }
}

const shareOf = ({ keys }: Anchor, spread: Spread | undefined): number =>
  spread ? keys.reduce<number>((sum, key) => sum + (spread.byKey.get(key) ?? 0), 0) / spread.total : 0
