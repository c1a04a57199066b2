/** The changes that are noted on the objects of a cluster, and who of several processes takes them back. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Io, messageOf, type Undoable, type UndoKind, type Undos, YarakError } from '../plugin.ts'
import type { Caller } from './_kube-http.ts'
import { candidate } from './_kube-lease.ts'
import { type Live, RESPONSE, undoablesOf } from './_kube-note.ts'
import { apiPath, type RawRequest } from './_kube-raw.ts'

/** What is needed of a cluster. */
export interface UndoPlace {
  /** Where the Lease is. */
  readonly namespace: string
  /** Where notes are looked for; undefined: everywhere. */
  readonly namespaces?: readonly string[] | undefined
  as(caller: Caller): { send(request: RawRequest): Promise<unknown> }
}

type UndoIo = Pick<Io, 'log' | 'env'>

const LEASE = 'yarak-undo'

/** Objects of a list asked for at a time. */
const PAGE = 500

/** A sweep every few seconds would fill the traces: what is only asked for is not traced. */
const UNTRACED: Caller = { call: (_span, fn) => fn({ headers: {}, set: () => {} }) }

export const undosOf = (place: UndoPlace, io: UndoIo): Undos => ({ list: lister(place, io), lead: leader(place, io) })

const isOutOfReach = (error: unknown): error is YarakError =>
  error instanceof YarakError && ['forbidden', 'no-such-api', 'not-found'].includes(error.reason)

const lister = ({ as, namespaces }: UndoPlace, { log }: UndoIo): Undos['list'] => {
  const { send } = as(UNTRACED)
  const told = new Set<string>()

  /** What the cluster has not, or we may not see, holds no notes for us. */
  const listKind = async (kind: UndoKind, path: string): Promise<readonly Undoable[]> => {
    try {
      return await listAll(send, kind, path)
    } catch (error) {
      if (!isOutOfReach(error)) throw error
      if (error.reason === 'forbidden' && !told.has(path)) {
        log.info('changes that are noted there cannot be undone', { resource: kind.resource, error: error.message })
      }
      told.add(path)
      return []
    }
  }
  return async (kinds) => {
    const lists = kinds.flatMap((kind) => pathsOf(kind, namespaces).map((path) => listKind(kind, path)))
    return (await Promise.all(lists)).flat()
  }
}

/** A kind without namespaces is asked for as a whole whatever they are. */
const pathsOf = ({ apiVersion, resource }: UndoKind, namespaces: readonly string[] | undefined): string[] =>
  namespaces === undefined || resource === 'nodes' || resource === 'namespaces'
    ? [apiPath(apiVersion, resource)]
    : namespaces.map((one) => apiPath(apiVersion, 'namespaces', one, resource))

interface List {
  readonly kind: string
  readonly metadata?: { readonly continue?: string }
  readonly items: readonly Live[]
}

const listAll = async (
  send: (request: RawRequest) => Promise<unknown>,
  of: UndoKind,
  path: string,
): Promise<readonly Undoable[]> => {
  const found: Undoable[] = []
  for (let next: string | undefined; next !== '';) {
    const query = { labelSelector: RESPONSE, limit: PAGE, continue: next }
    const { kind, items, metadata } = (await send({ method: 'GET', path, query })) as List
    found.push(...items.flatMap((live) => undoablesOf({ ...of, kind: kind.replace(/List$/, '') }, live)))
    next = metadata?.continue ?? ''
  }
  return found
}

/** In how many intervals a leader that is heard of no more is given up; and its work is cut short one before. */
const PATIENCE = 3

/** Work that is cut short after a while, or when the signal fires. */
const within = async (ms: number, signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> => {
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), ms)
  try {
    await work(AbortSignal.any([signal, over.signal]))
  } finally {
    clearTimeout(timer)
  }
}

const leader =
  ({ as, namespace }: UndoPlace, { log, env }: UndoIo): Undos['lead'] =>
  async (interval, signal, work) => {
    const { send } = as(UNTRACED)
    const who = env.HOSTNAME ?? 'yarak'
    const now = (): number => performance.now()
    const lease = candidate({ send, now, namespace, name: LEASE, who, duration: PATIENCE * interval })
    let alone = false
    let trouble: string | undefined

    const hold = async (): Promise<boolean> => {
      try {
        return alone || (await lease.hold())
      } catch (error) {
        if (!isOutOfReach(error)) throw error
        log.warn('whether another replica undoes changes is not known, so this one does', { error: messageOf(error) })
        return (alone = true)
      }
    }
    const once = async (): Promise<void> => {
      try {
        if ((await hold()) && !signal.aborted) await within((PATIENCE - 1) * interval, signal, work)
        if (trouble !== undefined) log.info('changes are looked for again that are to be undone')
        trouble = undefined
      } catch (error) {
        if (signal.aborted) return
        if (trouble === undefined) log.warn('changes to be undone cannot be looked for', { error: messageOf(error) })
        trouble = messageOf(error)
      }
    }
    while (!signal.aborted) {
      const next = sleep(interval, undefined, { signal }).catch(() => {})
      await once()
      await next
    }
    if (!alone) await lease.release()
  }
