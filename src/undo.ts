/** Takes back what steps changed: found by the notes that they left on the things themselves. */
import type { Audit } from './audit.ts'
import type { Counters } from './counters.ts'
import { deadlineAfter } from './deadline.ts'
import { asYarakError, messageOf, YarakError } from './errors.ts'
import type { Journal, Undone } from './journal/index.ts'
import { traceFields } from './log-area.ts'
import type { Action, Io, Log, Outcome, Resource, Result, Undoable, UndoKind, Undos } from './plugin.ts'
import type { Span, Tracing } from './telemetry.ts'

/** An action whose changes can be taken back. */
export type UndoingAction = Action & Required<Pick<Action, 'undo'>>

export const canUndo = (action: Action): action is UndoingAction => action.undo !== undefined

export interface UndoHost {
  readonly tracing: Tracing
  readonly audit: Audit
  readonly counters: Counters
  readonly log: Log
  readonly journal: Pick<Journal, 'undone'>
  io(id: string, span?: Span): Io
  /** All whose changes can be taken back. */
  actions(): readonly UndoingAction[]
  /** Cuts everything short. */
  readonly signal: AbortSignal
}

export interface Undoer {
  /** Where the changes of actions are noted. */
  place(resource: Resource): Promise<Undos>
  /**
   * What is noted of these actions.
   * @throws YarakError what a place that cannot be looked into says
   */
  list(actions: readonly UndoingAction[]): Promise<readonly Undoable[]>
  /**
   * Takes one change back. Never rejects: what went wrong is the outcome.
   * @param known that it cannot be undone has been told already
   */
  one(change: Undoable, signal: AbortSignal, known?: boolean): Promise<Undone>
  /**
   * Takes back what a response changed, the last change first.
   * @param step only what this step changed
   * @throws YarakError `not_found` when nothing of it is noted
   */
  response(id: string, step?: string): Promise<readonly Undone[]>
}

/** Milliseconds that taking back one change may take. */
const TIMEOUT = 30_000

export const createUndoer = (host: UndoHost): Undoer => {
  const places = new Map<Resource, Promise<Undos>>()

  const place = (resource: Resource): Promise<Undos> => {
    const found = places.get(resource) ?? open(resource, host)
    places.set(resource, found)
    found.catch(() => places.delete(resource))
    return found
  }

  const list = async (actions: readonly UndoingAction[]): Promise<readonly Undoable[]> => {
    const types = new Set(actions.map(({ type }) => type))
    const lists = [...Map.groupBy(actions, ({ undo }) => undo.in)].map(async ([resource, own]) =>
      (await place(resource)).list(kindsOf(own)),
    )
    return (await Promise.all(lists)).flat().filter(({ action }) => types.has(action))
  }

  const one = async (change: Undoable, signal: AbortSignal, known = false): Promise<Undone> => {
    const { action, response, step, rule, traceparent } = change
    const span = host.tracing.start(`undo ${action}`, {
      attributes: { 'yarak.action': action, 'yarak.step': step, 'yarak.rule': rule, 'yarak.response.id': response },
      links: traceparent === undefined ? [] : [traceparent],
    })
    const { outcome, summary } = await span.run(() => outcomeOf(change, host, span, signal))
    span.set({ 'yarak.outcome': outcome, 'yarak.summary': summary })
    span.end()
    host.counters.add('yarak_undos_total', { action, outcome })
    const at = new Date().toISOString()
    const done: Undone = { action, rule, response, step, object: objectOf(change), outcome, summary, at }
    tell(done, span, known, host)
    if (isUndone(done) || !known) record(done, change, span, host)
    if (isUndone(done)) host.journal.undone(response, `${change.note} ${change.object.uid}`, done)
    return done
  }

  return {
    place,
    list,
    one,
    async response(id, step) {
      const changes = await list(host.actions())
      const own = changes.filter((change) => change.response === id && (step === undefined || change.step === step))
      const what = `${step === undefined ? '' : `the step ${step} of `}the response ${id}`
      if (own.length === 0) throw new YarakError('not_found', `there is no change of ${what} to undo`)
      const undone: Undone[] = []
      for (const change of own.toSorted(latestFirst)) undone.push(await one(change, host.signal))
      return undone
    },
  }
}

const open = async (resource: Resource, { io }: UndoHost): Promise<Undos> => {
  const own = io(resource.type)
  const undos = resource.undos?.(await own.use(resource), own)
  if (undos) return undos
  throw new YarakError('config', `${resource.type} keeps no notes of changes`, { permanent: true })
}

/** Each kind once. */
const kindsOf = (actions: readonly UndoingAction[]): UndoKind[] => [
  ...new Map(
    actions.flatMap(({ undo }) => undo.on).map((kind) => [`${kind.apiVersion} ${kind.resource}`, kind]),
  ).values(),
]

const latestFirst = (a: Undoable, b: Undoable): number => (a.at < b.at ? 1 : -1)

/** @example 'pod shop/web-1' */
const objectOf = ({ object: { kind, namespace, name } }: Undoable): string =>
  `${kind.toLowerCase()} ${namespace === undefined ? '' : `${namespace}/`}${name}`

type Ended = Pick<Undone, 'outcome' | 'summary'>

const outcomeOf = async (change: Undoable, host: UndoHost, span: Span, signal: AbortSignal): Promise<Ended> => {
  const late = new YarakError('timed_out', `not done after ${TIMEOUT / 1_000} s`, { reason: 'timeout' })
  const deadline = deadlineAfter(TIMEOUT, signal, late)
  try {
    return { outcome: 'succeeded', summary: (await undo(change, host, span, deadline.signal)).summary }
  } catch (thrown) {
    const error = asYarakError(deadline.signal.aborted ? deadline.signal.reason : thrown)
    if (error.code !== 'gone') span.fail(error)
    return { outcome: OUTCOMES[error.code] ?? 'failed', summary: messageOf(error) }
  } finally {
    deadline.clear()
  }
}

const OUTCOMES: Readonly<Partial<Record<string, Outcome>>> = {
  gone: 'gone',
  refused: 'refused',
  timed_out: 'timed_out',
  interrupted: 'interrupted',
}

const undo = async (change: Undoable, host: UndoHost, span: Span, signal: AbortSignal): Promise<Result> => {
  const action = host.actions().find(({ type }) => type === change.action)
  if (!action) throw new YarakError('config', `there is no action ${change.action} that could undo it`)
  return action.undo.run(change, { ...host.io(action.type, span), signal, traceparent: change.traceparent })
}

/** Nothing of it is left to take back. */
export const isUndone = ({ outcome }: Pick<Undone, 'outcome'>): boolean => outcome === 'succeeded' || outcome === 'gone'

const record = (done: Undone, { object }: Undoable, { traceId }: Span, { audit }: UndoHost): void => {
  const { action: what, rule, response, object: target, outcome: verdict } = done
  const about = { who: `rule ${rule}`, what, why: `response ${response}`, target, uid: object.uid }
  audit.append({ kind: 'undo', ...about, verdict, response, ...(traceId && { trace: traceId }) })
}

const tell = (done: Undone, span: Span, known: boolean, { log }: UndoHost): void => {
  const { at: _, ...what } = done
  const fields = { ...what, ...traceFields(span) }
  if (isUndone(done)) log.info('a change was undone', fields)
  else log[known || done.outcome === 'interrupted' ? 'debug' : 'warn']('a change could not be undone', fields)
}
