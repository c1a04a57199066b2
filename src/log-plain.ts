/** The fields of a line as plain data: whatever they are, nothing throws and nothing is larger than a line may be. */
import { messageOf } from './errors.ts'
import type { LogFields } from './plugin.ts'

export interface PlainOptions {
  /** Bytes of JSON that they take at most, about. Default all that they need. */
  readonly bytes?: number
  /** Whether errors tell where they were thrown. Default false. */
  readonly stacks?: boolean
}

interface Way {
  /** Bytes left; shared by all that is at this place or below it. */
  readonly room: { left: number }
  readonly stacks: boolean
  /** The objects around it. */
  readonly path: readonly object[]
}

/** What a line says by itself. */
const OWN = new Set(['level', 'time', 'message'])

const MAX_DEPTH = 16

/**
 * Fields as plain data of JSON. An error becomes `{message, code}`; a number that JSON has not, text; a name that a line
 * has itself gets an underscore. One field takes at most half of what is left, so that those after it are told too; what
 * is cut has a mark that says how much is missing.
 * @example plainFields({ error: new Error('no'), level: 3n }) // { error: { message: 'no' }, _level: '3' }
 */
export const plainFields = (
  fields: LogFields,
  { bytes = Number.MAX_SAFE_INTEGER, stacks = false }: PlainOptions = {},
): LogFields => {
  let left = bytes
  const names = Object.keys(fields)
  const kept: [string, unknown][] = []
  for (const [i, name] of names.entries()) {
    if (left < MIN_ROOM) {
      kept.push(['…', `${names.length - i} more`])
      break
    }
    const room = { left: left / 2 }
    const told = cutText(OWN.has(name) ? `_${name}` : name, room)
    const value = safe(() => fields[name], { room, stacks, path: [fields] })
    if (value === undefined) continue
    left -= left / 2 - room.left
    kept.push([told, value])
  }
  return Object.fromEntries(kept)
}

const MIN_ROOM = 64

const safe = (read: () => unknown, way: Way): unknown => {
  try {
    return plain(read(), way)
  } catch {
    return '[unreadable]'
  }
}

const plain = (value: unknown, way: Way): unknown => {
  switch (typeof value) {
    case 'string':
      return cutText(value, way.room)
    case 'object':
      return value === null ? spend(null, way) : plainObject(value, way)
    case 'number':
      return Number.isFinite(value) ? spend(value, way) : cutText(String(value), way.room)
    case 'bigint':
      return cutText(String(value), way.room)
    case 'boolean':
      return spend(value, way)
    default:
      return undefined
  }
}

const spend = <T>(value: T, { room }: Way): T => {
  room.left -= String(value).length
  return value
}

const plainObject = (value: object, { path, ...way }: Way): unknown => {
  if (path.includes(value)) return cutText('[circular]', way.room)
  if (path.length > MAX_DEPTH) return cutText('[deep]', way.room)
  const within = { ...way, path: [...path, value] }
  if (value instanceof Error) return plainMembers(errorParts(value, way.stacks), within)
  if (ArrayBuffer.isView(value)) return cutText(`[${value.byteLength} bytes]`, way.room)
  if (tellsItself(value)) return plain(value.toJSON(), within)
  return Array.isArray(value) ? plainList(value, within) : plainMembers(value as LogFields, within)
}

const tellsItself = (value: object): value is { toJSON(): unknown } =>
  'toJSON' in value && typeof value.toJSON === 'function'

const errorParts = (error: Error, stacks: boolean): LogFields => {
  const { code } = error as { code?: unknown }
  return {
    message: messageOf(error),
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...(stacks && { stack: error.stack }),
  }
}

const plainList = (list: readonly unknown[], way: Way): unknown[] => {
  const kept: unknown[] = []
  for (let i = 0; i < list.length && way.room.left > 0; i++) {
    way.room.left -= 1
    kept.push(safe(() => list[i], way) ?? null)
  }
  if (kept.length < list.length) kept.push(spend(`… ${list.length - kept.length} more`, way))
  return kept
}

const plainMembers = (object: LogFields, way: Way): LogFields => {
  const kept: [string, unknown][] = []
  const names = Object.keys(object)
  const end = names.findIndex((name) => {
    if (way.room.left <= 0) return true
    way.room.left -= 2
    const told = cutText(name, way.room)
    const value = safe(() => object[name], way)
    if (value !== undefined) kept.push([told, value])
    return false
  })
  if (end !== -1) kept.push(['…', spend(`${names.length - end} more`, way)])
  return Object.fromEntries(kept)
}

/** Text that is larger than the room is cut, and says so. */
export const cutText = (text: string, room: { left: number }): string => {
  if (text.length + 2 <= room.left && SIMPLE.test(text)) {
    room.left -= text.length + 2
    return text
  }
  const most = Math.max(room.left, 0)
  let kept = text.slice(0, most).toWellFormed()
  let size = sizeOf(kept)
  while (size > most && kept !== '') {
    kept = kept.slice(0, Math.floor((kept.length * most) / size)).toWellFormed()
    size = sizeOf(kept)
  }
  const whole = kept.length === text.length ? kept : `${kept}… ${text.length - kept.length} more`
  room.left -= whole === kept ? size : sizeOf(whole)
  return whole
}

/** As long in JSON as it is. */
const SIMPLE = /^[ !#-[\]-~]*$/

const sizeOf = (text: string): number =>
  2 + (SIMPLE.test(text) ? text.length : Buffer.byteLength(visible(JSON.stringify(text))) - 2)

/** What makes lines, moves the cursor or turns text around: C0, C1, line separators, marks of direction. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/**
 * Text in which all that a terminal or a reader of lines would obey is spelt out, as JSON spells it.
 * @example visible('\u001b[2J') // '\\u001b[2J'
 */
export const visible = (text: string): string =>
  text.replaceAll(UNSEEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`)
