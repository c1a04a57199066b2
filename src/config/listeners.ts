/** What only the whole file shows about its listeners: inputs that are not there, certificates that cannot be used. */
import type { Input, Use } from '../plugin.ts'
import { readCertificates } from './certificates.ts'
import { type Document, type Path, pathText } from './document.ts'
import { beside, type Files } from './files.ts'
import { addressText, type Listener, type TlsSettings } from './listen.ts'
import type { Problems } from './problems.ts'
import { suggestion } from './suggest.ts'

/** Where what is wrong is told, and whose files are read. */
export interface Checked {
  readonly document: Document
  readonly problems: Problems
  readonly files: Files
}

interface Context extends Checked {
  /** The inputs whose settings are right. */
  readonly inputs: readonly Use<Input>[]
}

/** The listeners, with the paths of their files relative to the file that names them; what is wrong is told. */
export const checkListeners = (context: Context, listeners: readonly Listener[]): Listener[] => {
  const { listen, inputs } = context.document.value as { listen?: unknown; inputs?: object | null }
  const ids = Object.keys(inputs ?? {})
  const places = listeners.map((listener, i) => ({
    listener,
    path: Array.isArray(listen) ? ['listen', i] : ['listen'],
  }))
  twice(context, places)
  unserved(context, listeners)
  return places.map(({ listener, path }) => {
    checkInputs(context, listener, ids, path)
    samePath(context, listener)
    return checkTls(context, listener, path)
  })
}

/** The listener with the paths of its certificates resolved; what is wrong with them is told. */
export const checkTls = ({ document, problems, files }: Checked, listener: Listener, path: Path): Listener => {
  if (!listener.tls) return listener
  const tls = resolved(document, listener.tls)
  for (const { setting, message, severity } of readCertificates(tls, files).faults) {
    const at = [...path, 'tls', setting]
    problems.add(document, { path: at }, `${pathText(at)} ${message}`, severity)
  }
  return { ...listener, tls }
}

const resolved = ({ file }: Document, tls: TlsSettings): TlsSettings => ({
  ...tls,
  certFile: beside(file, tls.certFile),
  keyFile: beside(file, tls.keyFile),
  ...(tls.caFile !== undefined && { caFile: beside(file, tls.caFile) }),
})

const twice = ({ document, problems }: Context, places: readonly { listener: Listener; path: Path }[]): void => {
  const seen = new Set<string>()
  for (const { listener, path } of places) {
    const text = addressText(listener)
    if (seen.has(text) && !text.endsWith(':0'))
      problems.add(document, { path }, `${pathText(path)}: ${text} is listened at already`)
    seen.add(text)
  }
}

const checkInputs = (
  { document, problems, inputs }: Context,
  { inputs: named }: Listener,
  ids: string[],
  path: Path,
) => {
  for (const [i, id] of (named ?? []).entries()) {
    const known = inputs.find((one) => one.id === id)
    const at = { path: [...path, 'inputs', i] }
    const name = pathText(at.path)
    if (!ids.includes(id))
      problems.add(document, at, `${name}: ${id} is not an input of this file${suggestion(id, ids)}`)
    else if (known && !known.plugin.routes) problems.add(document, at, `${name}: ${id} takes nothing over HTTP`)
  }
}

/** An input that takes requests, and the path at which it does, when its settings tell. */
const served = ({ inputs }: Context, listener: Listener): { id: string; path?: unknown }[] =>
  inputs
    .filter(({ id, plugin }) => plugin.routes && (listener.inputs?.includes(id) ?? true))
    .map(({ id, config }) => ({ id, path: (config as { path?: unknown } | undefined)?.path }))

/** The first of two inputs would get what is meant for the second. */
const samePath = (context: Context, listener: Listener): void => {
  const taken = new Map<unknown, string>()
  for (const { id, path } of served(context, listener)) {
    const other = taken.get(path)
    if (other !== undefined)
      context.problems.add(context.document, { path: ['inputs', id, 'path'] }, sameText(id, other, path, listener))
    if (path !== undefined) taken.set(path, id)
  }
}

const sameText = (id: string, other: string, path: unknown, listener: Listener): string =>
  `inputs.${id}.path: ${other} takes ${String(path)} at ${addressText(listener)} already; ` +
  'give it another path, or a listener of its own by `inputs`'

const unserved = (context: Context, listeners: readonly Listener[]): void => {
  for (const { id, plugin } of context.inputs) {
    if (!plugin.routes || listeners.some(({ inputs }) => inputs?.includes(id) ?? true)) continue
    const where = { path: ['inputs', id], key: true }
    context.problems.add(context.document, where, `no listener serves inputs.${id}`, 'warning')
  }
}
