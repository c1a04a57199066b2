/** Many alerts of one kind as two notices: the first at once, and at the end of a window how many there were. */
import { LONGEST } from './backoff.ts'
import type { DIGEST_KEYS } from './delivery-settings.ts'
import type { Notice } from './plugin.ts'
import { targetOf } from './target.ts'

export interface DigestSettings {
  /** Milliseconds. */
  readonly window: number
  readonly by: readonly (typeof DIGEST_KEYS)[number][]
}

/** Alerts of one kind since the last that was told. */
interface Group {
  held: Notice | undefined
  count: number
  first: string
  ends: number
}

export interface Digests {
  /**
   * The notice that stands for the alert from now on, and the one it replaces; undefined: it is to be told at once, as it
   * is the first of its kind.
   */
  fold(notice: Notice): { readonly standsIn: Notice; readonly instead: Notice | undefined } | undefined
  /** Ends all windows. */
  close(): readonly Notice[]
  /** Alerts that are held back. */
  readonly held: number
}

/** Kinds that are known at once; alerts of more are told each. */
const MOST = 10_000

/** @param tell called when a window ends in which alerts were held back */
export const createDigests = (
  { window, by }: DigestSettings,
  tell: (notice: Notice) => void,
  now: () => number = () => Date.now(),
): Digests => {
  /** In the order in which they end, as every window is equally long. */
  const groups = new Map<string, Group>()
  let timer: NodeJS.Timeout | undefined

  const end = (): void => {
    timer = undefined
    for (const [key, group] of groups) {
      if (group.ends > now()) break
      groups.delete(key)
      if (!group.held) continue
      groups.set(key, { held: undefined, count: 0, first: '', ends: now() + window })
      tell(group.held)
    }
    plan()
  }

  const plan = (): void => {
    const [first] = groups.values()
    if (first && !timer) timer = setTimeout(end, Math.min(Math.max(1, first.ends - now()), LONGEST)).unref()
  }

  return {
    get held() {
      return [...groups.values()].reduce((sum, { count }) => sum + count, 0)
    },
    fold(notice) {
      const key = keyOf(notice, by)
      const group = groups.get(key)
      if (!group) {
        if (groups.size < MOST) groups.set(key, { held: undefined, count: 0, first: '', ends: now() + window })
        plan()
        return undefined
      }
      const instead = group.held
      const { time } = notice.event
      group.count++
      group.first ||= time
      // each has a name of its own, so that the journal can hold the new one before it lets go of the old
      const id = `${notice.id}#${group.count}`
      group.held = { ...notice, id, digest: { count: group.count, first: group.first, last: time } }
      return { standsIn: group.held, instead }
    },
    close() {
      clearTimeout(timer)
      const held = [...groups.values()].flatMap((group) => group.held ?? [])
      groups.clear()
      return held
    },
  }
}

const keyOf = ({ event, cluster = '' }: Notice, by: DigestSettings['by']): string =>
  JSON.stringify([cluster, ...by.map((name) => (name === 'target' ? targetOf(event).key : event[name]) ?? '')])
