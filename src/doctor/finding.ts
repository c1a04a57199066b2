/** What the doctor says of one thing. */
import { messageOf } from '../errors.ts'

export const GROUPS = [
  'versions',
  'configuration',
  'listeners',
  'gateway',
  'inputs',
  'outputs',
  'cluster',
  'clock',
  'telemetry',
  'journal',
  'falco',
  'rules',
] as const

export type GroupName = (typeof GROUPS)[number]

/** `skip`: it could not be looked at, or there is nothing to look at. */
export type Status = 'ok' | 'warn' | 'fail' | 'skip'

export interface Finding {
  readonly group: GroupName
  /** What was looked at, e.g. the id of an output. */
  readonly name: string
  readonly status: Status
  /** One sentence for people. */
  readonly message: string
  /** A command or a setting that puts it right. */
  readonly remedy?: string
  /** `file:line:column`. */
  readonly place?: string
}

type Say = (name: string, message: string, remedy?: string, place?: string) => Finding

/**
 * The findings of one group.
 * @example about('journal').warn('size', 'the journal is nearly full', 'raise journal.maxSize')
 */
export const about = (group: GroupName): Readonly<Record<Status, Say>> => {
  const say =
    (status: Status): Say =>
    (name, message, remedy, place) => ({
      ...{ group, name, status, message },
      ...(remedy !== undefined && { remedy }),
      ...(place !== undefined && { place }),
    })
  return { ok: say('ok'), warn: say('warn'), fail: say('fail'), skip: say('skip') }
}

/** The words of an error, on one line. */
export const words = (error: unknown): string => messageOf(error).replaceAll(/\s+/g, ' ').trim()

/** What is percent-encoded, read; as it stands when it is not. */
export const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** @example timeOf(90_000) // '90 s' */
export const timeOf = (ms: number): string => {
  const seconds = Math.round(Math.abs(ms) / 1_000)
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`
}
