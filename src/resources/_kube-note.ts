/** The notes of changes that can be taken back, as they stand on the object that was changed. Pure. */
import { createHash } from 'node:crypto'
import type { Undoable, UndoKind } from '../plugin.ts'

/** The label of every object that carries a note; its value is the id of the last response that changed it. */
export const RESPONSE = 'yarak.dev/response'

const PREFIX = 'yarak.dev/undo.'

/** What a note says. */
export type Note = Omit<Undoable, 'object' | 'note'>

/** What is looked at of an object of any kind. */
export interface Live {
  readonly kind?: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid: string
    readonly resourceVersion?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: unknown
}

/**
 * The annotation for the note of a change: the same for the same change of the same things, so that it is renewed.
 * @example noteName('kubernetes:label', 'suspicious') // 'yarak.dev/undo.6c3f0d0a9b1e'
 */
export const noteName = (action: string, ...what: readonly string[]): string =>
  PREFIX +
  createHash('sha256')
    .update(JSON.stringify([action, ...what]))
    .digest('hex')
    .slice(0, 12)

/** The notes on an object, by annotation. What is no note is left out: anybody may write annotations. */
export const notesOn = ({ metadata: { annotations = {} } }: Live): ReadonlyMap<string, Note> =>
  new Map(
    Object.entries(annotations)
      .filter(([name]) => name.startsWith(PREFIX))
      .flatMap(([name, text]) => {
        const note = readNote(text)
        return note ? [[name, note] as const] : []
      }),
  )

const TEXTS = ['action', 'rule', 'response', 'step', 'at'] as const

const readNote = (text: string): Note | undefined => {
  try {
    const note = JSON.parse(text) as Readonly<Record<string, unknown>>
    const { expires, traceparent, made, prior } = note
    const isWhole = TEXTS.every((key) => typeof note[key] === 'string') && isMap(made) && isMap(prior)
    const isDated = expires === undefined || (typeof expires === 'string' && !Number.isNaN(Date.parse(expires)))
    const isTraced = traceparent === undefined || typeof traceparent === 'string'
    return isWhole && isDated && isTraced ? (note as unknown as Note) : undefined
  } catch {
    return undefined
  }
}

const isMap = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The changes that are noted on an object. */
export const undoablesOf = (of: UndoKind & { readonly kind: string }, live: Live): Undoable[] => {
  const { name, namespace, uid } = live.metadata
  const object = { ...of, name, uid, ...(namespace !== undefined && { namespace }) }
  return [...notesOn(live)].map(([note, said]) => ({ ...said, object, note }))
}
