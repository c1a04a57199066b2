/** Which topics there are of those that are wanted, and which of them are new. */
import { type State, YarakError } from '../src/plugin.ts'
import { type KafkaClient, patternOf } from '../src/resources/kafka.ts'

export interface TopicSettings {
  /** Names, and regular expressions between slashes. */
  readonly topics: readonly string[]
  /** Milliseconds between two looks. */
  readonly topicsInterval: number
  /** Never read. */
  readonly deadLetterTopic?: string | undefined
}

/** The topics that each wanted entry stands for. */
type Seen = Readonly<Record<string, readonly string[]>>

export interface Found {
  readonly names: readonly string[]
  /** Names that are wanted and not there. */
  readonly missing: readonly string[]
  /** Those that were not there when they were looked for earlier: they are read from their beginning. */
  readonly fresh: ReadonlySet<string>
  readonly seen: Seen
}

/** Where the last {@link Found.seen} is kept, over restarts. */
const SEEN = 'topics'

/** @throws YarakError when there is none of them yet */
export const findTopics = async (
  client: Pick<KafkaClient, 'topics'>,
  state: State,
  settings: TopicSettings,
): Promise<Found> => {
  const [all, before] = await Promise.all([client.topics(), state.get(SEEN)])
  const found = select(all, settings, (before ?? {}) as Seen)
  if (found.names.length > 0) return found
  await state.set(SEEN, found.seen)
  throw new YarakError('unavailable', `there is no topic yet that is ${settings.topics.join(' or ')}`, {
    reason: 'unknown-topic',
    retryAfter: settings.topicsInterval,
  })
}

/** They are read from now on: none of them is new any more. */
export const remember = (state: State, { seen }: Found): Promise<void> => state.set(SEEN, seen)

/** Pure. An entry that was not looked for before has no new topics: they may be as old as they like. */
export const select = (
  all: readonly string[],
  { topics, deadLetterTopic }: Pick<TopicSettings, 'topics' | 'deadLetterTopic'>,
  before: Seen = {},
): Found => {
  const readable = all.filter((name) => name !== deadLetterTopic).sort()
  const seen = Object.fromEntries(topics.map((entry) => [entry, readable.filter(isFor(entry))]))
  const fresh = topics.flatMap((entry) => {
    const old = before[entry]
    return old ? (seen[entry] ?? []).filter((name) => !old.includes(name)) : []
  })
  return {
    names: [...new Set(Object.values(seen).flat())].sort(),
    missing: topics.filter((entry) => seen[entry]?.length === 0),
    fresh: new Set(fresh),
    seen,
  }
}

/**
 * The cluster that a topic is for: by its name, else by the first regular expression that it matches.
 * @param clusters by names of topics, and regular expressions between slashes
 */
export const clusterByTopic = (clusters: Readonly<Record<string, string>>) => {
  const known = new Map(Object.entries(clusters))
  const patterns = [...known].flatMap(([entry, name]) => {
    const pattern = patternOf(entry)
    return pattern ? [{ pattern, name }] : []
  })
  return (topic: string): string | undefined =>
    known.get(topic) ?? patterns.find(({ pattern }) => pattern.test(topic))?.name
}

/** The brokers' own topics, such as `__consumer_offsets`, are only read when they are named. */
const isFor = (entry: string): ((name: string) => boolean) => {
  const pattern = patternOf(entry)
  return pattern ? (name) => pattern.test(name) && !name.startsWith('__') : (name) => name === entry
}
