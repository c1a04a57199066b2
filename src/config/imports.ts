/** The section `plugins`: files and packages -> the declarations that they export, checked as the built-in ones are. */
import { registerHooks } from 'node:module'
import { dirname, isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { kindOf, type Kind } from '../declare.ts'
import { messageOf } from '../errors.ts'
import type { Spec } from '../plugin.ts'
import { faultsOf } from '../testing/check.ts'
import type { Document } from './document.ts'
import type { Plugins } from './plugins.ts'

/** What is wrong with one entry. */
export interface PluginFault {
  /** Of the entry, from 0. */
  readonly index: number
  readonly message: string
}

export interface ImportedPlugins {
  /** The given declarations, and those that were imported. */
  readonly plugins: Plugins
  readonly faults: readonly PluginFault[]
}

type Exports = Readonly<Record<string, unknown>>

/**
 * Imports what a configuration names under `plugins:`; a relative path starts from the folder of the file, a package is
 * looked for from there. Code is read once in a process: a change of it takes a restart.
 * @example const { plugins, faults } = await importPlugins(document, builtin)
 */
export const importPlugins = async (document: Document, known: Plugins): Promise<ImportedPlugins> => {
  let plugins = known
  const faults: PluginFault[] = []
  for (const [index, name] of namesIn(document).entries()) {
    const tell = (message: string): void => void faults.push({ index, message: `plugins[${index}]: ${message}` })
    const exports = await importFrom(name, document.file).catch((error: unknown) => {
      tell(`cannot import ${name}: ${messageOf(error).replace(FROM_HERE, '')}`)
      return undefined
    })
    if (exports) plugins = await added(plugins, exports, name, tell)
  }
  return { plugins, faults }
}

/** What Node adds where the entry itself is not there. */
const FROM_HERE = / imported from \S*\bimports\.[jt]s$/

const namesIn = ({ value }: Document): readonly string[] => {
  const names = (value as { plugins?: unknown } | null | undefined)?.plugins
  return Array.isArray(names) ? names.filter((name): name is string => typeof name === 'string' && name !== '') : []
}

const SECTIONS: Readonly<Record<Kind, keyof Plugins>> = {
  input: 'inputs',
  output: 'outputs',
  action: 'actions',
  context: 'contexts',
  resource: 'resources',
}

const added = async (
  before: Plugins,
  exports: Exports,
  name: string,
  tell: (message: string) => void,
): Promise<Plugins> => {
  let plugins = before
  const values = new Map(Object.entries(exports).map(([key, value]) => [value, key]))
  if (values.size === 0) tell(`${name} exports nothing; export what defineAction, defineOutput or the like gives`)
  for (const [value, key] of values) {
    const kind = kindOf(value)
    if (!kind) {
      tell(
        `${name}: the export ${key} is no declaration; export only what defineAction, defineOutput or the like gives`,
      )
      continue
    }
    const spec = value as Spec
    const section = SECTIONS[kind]
    const faults = await faultsOf(kind, spec)
    for (const fault of faults) tell(`${name}: ${kind} ${spec.type} does not keep: ${fault}`)
    if (plugins[section].some(({ type }) => type === spec.type)) {
      tell(`${name}: there is already an ${kind} ${spec.type}`.replace(/an (?=[crx])/, 'a '))
    } else if (faults.length === 0) plugins = { ...plugins, [section]: [...plugins[section], spec] }
  }
  return plugins
}

/**
 * A module may import this package by its name wherever it lies: it then gets the very code that runs, so that errors are
 * known for what they are, and a file in a ConfigMap needs no `node_modules`.
 */
const importFrom = async (name: string, file: string): Promise<Exports> => {
  const from = pathToFileURL(resolve(file)).href
  const isPath = isAbsolute(name) || /^\.{1,2}\//.test(name)
  const wanted = isPath ? pathToFileURL(resolve(dirname(file), name)).href : name
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const own = OWN.exec(specifier)?.[1]
      if (own !== undefined) return next(ownModule(own), context)
      const found = next(specifier, specifier === wanted ? { ...context, parentURL: from } : context)
      // Without a package.json above it, a file is what it is written as: a module.
      return found.format || !found.url.endsWith('.ts') ? found : { ...found, format: 'module-typescript' }
    },
  })
  try {
    return (await import(/* @vite-ignore */ wanted)) as Exports
  } finally {
    hooks.deregister()
  }
}

const OWN = /^yarak(?:\/(.+))?$/

/** @example ownModule('plugin') // 'file:///.../src/plugin.ts' */
const ownModule = (path = 'index'): string => {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const folder = /^(?:inputs|outputs)\//.test(path) ? '../../' : '../'
  return new URL(`${folder}${path}.${extension}`, import.meta.url).href
}
