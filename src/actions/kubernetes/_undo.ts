/**
 * Changes that can be taken back. What was there before and what the step made of it is noted on the object itself, in
 * the request that changes it; see `Undos` for who reads the notes.
 */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { duration, type Result, type Step, type Undo, type Undoable, type UndoKind, YarakError } from '../../plugin.ts'
import {
  apiPath,
  type Clients,
  kubernetes,
  type Live,
  type Note,
  noteName,
  notesOn,
  RESPONSE,
} from '../../resources/kubernetes.ts'
import { pastConflicts } from './_conflict.ts'
import { isLabelValue } from './_names.ts'

/** The setting by which a change is undone by itself. */
export const ttl = duration()
  .optional()
  .describe(
    'After this time the change is undone by itself, also by another replica or after a restart. Default never.',
  )

export const PODS: UndoKind = { apiVersion: 'v1', resource: 'pods' }
export const NODES: UndoKind = { apiVersion: 'v1', resource: 'nodes' }

/** Named values of an object; null: it has none of that name. */
export type Values = Readonly<Record<string, unknown>>

/** A part of an object as named values. */
export interface Lens {
  /** Those that may be set and put back. */
  read(live: Live, names: readonly string[]): Values
  /** The merge patch that sets them. */
  patch(values: Values): Patch
}

interface Patch {
  readonly metadata?: { readonly labels?: Values; readonly annotations?: Values }
  readonly spec?: unknown
}

/** A change that is to be noted. */
export interface Change {
  /** The type of the action. */
  readonly action: string
  /** What of the object it is about, which tells it from other changes by the same action. */
  readonly what?: readonly string[]
  /** Milliseconds. */
  readonly ttl?: number | undefined
  readonly prior: Values
  readonly made: Values
}

/**
 * The label and the annotation that note a change, to be merged into the metadata in the request that makes it. A note of
 * the same change that is there is renewed: it expires when the later of both does.
 * @param live the object as it is; undefined: there is none
 */
export const noteFor = (step: Pick<Step, 'response'>, change: Change, live: Live | undefined) => {
  const { action, what = [], prior, made } = change
  const { id, rule, step: of, traceparent } = step.response
  const name = noteName(action, ...what)
  const now = Date.now()
  const expires = later(live && notesOn(live).get(name), change.ttl === undefined ? undefined : now + change.ttl)
  const at = new Date(now).toISOString()
  const note: Note = {
    ...{ action, rule, response: id, step: of, at },
    ...(expires !== undefined && { expires: new Date(expires).toISOString() }),
    ...{ prior, made },
    ...(traceparent !== undefined && { traceparent }),
  }
  return { labels: { [RESPONSE]: isLabelValue(id) ? id : '' }, annotations: { [name]: JSON.stringify(note) } }
}

/** What is never undone by itself stays so. */
const later = (before: Note | undefined, expires: number | undefined): number | undefined => {
  if (!before) return expires
  if (before.expires === undefined || expires === undefined) return undefined
  return Math.max(Date.parse(before.expires), expires)
}

interface Setting {
  readonly action: string
  /** Of the object. */
  readonly path: string
  /** Another object that has taken the name is not touched. */
  readonly uid?: string | undefined
  readonly lens: Lens
  readonly values: Values
  readonly ttl?: number | undefined
}

/**
 * Sets values of an object, and notes how they were before. Nobody can come between the reading and the writing.
 * @returns the object as it was
 * @throws YarakError `gone` with the reason `changed` when another has taken the name
 */
export const setNoted = (clients: Clients, step: Step, setting: Setting): Promise<Live> =>
  pastConflicts(async () => {
    const { action, path, lens, values, ttl: time } = setting
    const live = await readLive(clients, path, setting.uid)
    const names = Object.keys(values)
    const before = lens.read(live, names)
    const known = Object.keys(before)
    const prior = Object.fromEntries(known.map((name) => [name, oldest(live, action, name, before[name])]))
    const made = Object.fromEntries(known.map((name) => [name, values[name]]))
    const note = noteFor(step, { action, what: names.sort(), ttl: time, prior, made }, live)
    await send(clients, path, live, lens.patch(values), known.length > 0 ? note : {}, step.dryRun)
    return live
  })

/** What was there before all of our changes that are still noted. */
const oldest = (live: Live, action: string, name: string, now: unknown): unknown => {
  const ours = [...notesOn(live).values()].find((note) => note.action === action && isMade(note, name, now))
  return ours ? (ours.prior as Values)[name] : now
}

const isMade = ({ made }: Note, name: string, now: unknown): boolean => {
  const values = made as Values
  return Object.hasOwn(values, name) && isDeepStrictEqual(values[name], now)
}

const readLive = async ({ send }: Clients, path: string, uid: string | undefined): Promise<Live> => {
  const live = (await send({ method: 'GET', path })) as Live
  if (uid === undefined || live.metadata.uid === uid) return live
  throw new YarakError('gone', `${live.metadata.name} was replaced by another of the same name`, {
    permanent: true,
    reason: 'changed',
  })
}

type Marks = { readonly labels?: Values; readonly annotations?: Values }

/** A merge patch of exactly what was read. */
const send = (clients: Clients, path: string, live: Live, patch: Patch, marks: Marks, dryRun: boolean) => {
  const { uid, resourceVersion } = live.metadata
  const labels = { ...patch.metadata?.labels, ...marks.labels }
  const annotations = { ...patch.metadata?.annotations, ...marks.annotations }
  const metadata = { uid, resourceVersion, ...filled({ labels }), ...filled({ annotations }) }
  return clients.send({
    method: 'PATCH',
    path,
    query: { fieldManager: 'yarak', dryRun: dryRun ? 'All' : undefined },
    contentType: 'application/merge-patch+json',
    body: { ...patch, metadata },
  })
}

const filled = (values: Readonly<Record<string, object>>): object =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => Object.keys(value).length > 0))

// ── undoing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The change is noted no more, or by now for another response. */
const over = (why: string): YarakError => new YarakError('gone', why, { permanent: true, reason: 'not-noted' })

/** The object with the note of this very change: one that was renewed meanwhile is another. */
const findNoted = async (clients: Clients, change: Undoable): Promise<{ path: string; live: Live; note: Note }> => {
  const { apiVersion, namespace, resource, name, uid } = change.object
  const place = namespace === undefined ? [] : ['namespaces', namespace]
  const path = apiPath(apiVersion, ...place, resource, name)
  const live = await readLive(clients, path, uid)
  const note = notesOn(live).get(change.note)
  if (!note) throw over('it was undone meanwhile')
  const same = note.action === change.action && note.at === change.at && note.response === change.response
  if (!same) throw over(`the response ${note.response} renewed it meanwhile`)
  return { path, live, note }
}

const othersOn = (live: Live, name: string): Note[] =>
  [...notesOn(live)].flatMap(([one, note]) => (one === name ? [] : [note]))

const withoutNote = (name: string, others: readonly Note[]): Marks => ({
  annotations: { [name]: null },
  ...(others.length === 0 && { labels: { [RESPONSE]: null } }),
})

const idOf = ({ object: { kind, namespace, name } }: Undoable): string =>
  `${kind.toLowerCase()} ${namespace === undefined ? '' : `${namespace}/`}${name}`

const listed = (names: readonly string[]): string => names.join(', ')

/**
 * Puts values back: to what was there before; where another change of ours still holds a value, to that one's. What is
 * something else by now than what was made of it is left alone.
 * @param lensOf the lens of the action, for an object of this kind
 */
export const undoValues =
  (lensOf: (kind: UndoKind) => Lens): Undo['run'] =>
  async (change, step): Promise<Result> => {
    const clients = (await step.use(kubernetes)).as(step)
    return pastConflicts(async () => {
      const { path, live, note } = await findNoted(clients, change)
      const lens = lensOf(change.object)
      const now = lens.read(live, Object.keys(note.made as Values))
      const names = Object.keys(now)
      const back = names.filter((name) => isMade(note, name, now[name]))
      const others = othersOn(live, change.note)
      const values = Object.fromEntries(back.map((name) => [name, valueBefore(note, others, name)]))
      await send(
        clients,
        path,
        live,
        back.length > 0 ? lens.patch(values) : {},
        withoutNote(change.note, others),
        false,
      )
      const left = names.filter((name) => !back.includes(name))
      const changed = left.length > 0 ? `; left alone, as they were changed meanwhile: ${listed(left)}` : ''
      return { summary: `put back on ${idOf(change)}: ${listed(back) || 'nothing'}${changed}` }
    })
  }

const valueBefore = (note: Note, others: readonly Note[], name: string): unknown => {
  const holders = others.filter(({ action, made }) => action === note.action && Object.hasOwn(made as object, name))
  const last = holders.sort((a, b) => Date.parse(a.at) - Date.parse(b.at)).at(-1)
  return ((last?.made ?? note.prior) as Values)[name] ?? null
}

/** What is noted of an object that the step makes, for {@link undoCreated}. */
export const created = (spec: unknown): Values => ({ spec: digest(spec) })

/** The same for the same content: servers leave out what is empty, and order members as they like. */
const digest = (spec: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify(tidy(spec)) ?? '')
    .digest('hex')
    .slice(0, 32)

const tidy = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(tidy)
  if (typeof value !== 'object' || value === null) return value ?? undefined
  const members = Object.entries(value).map(([key, inner]) => [key, tidy(inner)] as const)
  return Object.fromEntries(members.filter(([, inner]) => !isEmpty(inner)).sort(([a], [b]) => (a < b ? -1 : 1)))
}

const isEmpty = (value: unknown): boolean =>
  value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)

/** Deletes the object that the step made, unless somebody has changed it: then it stays, without the note. */
export const undoCreated: Undo['run'] = async (change, step) => {
  const clients = (await step.use(kubernetes)).as(step)
  return pastConflicts(async () => {
    const { path, live, note } = await findNoted(clients, change)
    const others = othersOn(live, change.note)
    if (others.length > 0 || !isMade(note, 'spec', digest(live.spec))) {
      await send(clients, path, live, {}, withoutNote(change.note, others), false)
      return { summary: `left ${idOf(change)} alone: it was changed meanwhile` }
    }
    const { uid, resourceVersion } = live.metadata
    await clients.send({ method: 'DELETE', path, body: { preconditions: { uid, resourceVersion } } })
    return { summary: `deleted ${idOf(change)}` }
  })
}

interface Making {
  readonly action: string
  readonly path: string
  /** The object, for server-side apply. */
  readonly body: { readonly metadata?: object; readonly spec?: unknown }
  readonly ttl?: number | undefined
}

/**
 * Applies an object that is ours, and notes that we made it. One that was there and carries no note of ours is not
 * deleted by the undoing.
 * @throws YarakError `failed` with the reason `conflict` when somebody else manages it
 */
export const applyNoted = (clients: Clients, step: Step, { action, path, body, ttl: time }: Making): Promise<unknown> =>
  pastConflicts(async () => {
    const live = await unlessAbsent(clients.send({ method: 'GET', path }) as Promise<Live>)
    const isOurs = !live || notesOn(live).has(noteName(action))
    const note = noteFor(step, { action, ttl: time, prior: {}, made: isOurs ? created(body.spec) : {} }, live)
    const { labels, annotations, ...metadata } = (body.metadata ?? {}) as NonNullable<Patch['metadata']>
    const version = live && { uid: live.metadata.uid, resourceVersion: live.metadata.resourceVersion }
    const marks = { labels: { ...labels, ...note.labels }, annotations: { ...annotations, ...note.annotations } }
    return clients.send({
      method: 'PATCH',
      path,
      query: { fieldManager: 'yarak', dryRun: step.dryRun ? 'All' : undefined },
      contentType: 'application/apply-patch+yaml',
      body: { ...body, metadata: { ...metadata, ...version, ...marks } },
    })
  })

const unlessAbsent = async <T>(answer: Promise<T>): Promise<T | undefined> => {
  try {
    return await answer
  } catch (error) {
    if (error instanceof YarakError && error.code === 'gone') return undefined
    throw error
  }
}
