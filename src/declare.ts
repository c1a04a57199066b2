/** A declaration made callable. */
import { YarakError } from './errors.ts'
import type { Declared, Spec, Use } from './plugin.ts'
import { checkSettings } from './settings.ts'

const LABEL = /^[a-z0-9-]+$/

export type Kind = 'input' | 'output' | 'action' | 'context' | 'resource'

/** Registered, so that a declaration is known as one also when its author's copy of this package is another. */
const KIND = Symbol.for('yarak.kind')

/** What a value declares; undefined: it is no declaration. */
export const kindOf = (value: unknown): Kind | undefined =>
  typeof value === 'function' ? (value as { [KIND]?: Kind })[KIND] : undefined

/** Makes a declaration also a function from settings to a checked {@link Use}. */
export const declare = <P extends Spec, I>(kind: Kind, spec: P): Declared<P, I> => {
  const make = (config: I, label?: string): Use<P> => {
    if (label !== undefined && !LABEL.test(label)) {
      throw new YarakError('config', `${spec.type}/${label}: a label is of a-z, 0-9 and -`)
    }
    const id = label === undefined ? spec.type : `${spec.type}/${label}`
    return { id, plugin: declared, config: check(kind, spec, config, id) }
  }
  const declared = Object.freeze(Object.assign(make, spec, { [KIND]: kind }))
  return declared
}

const check = (kind: Kind, spec: Spec, config: unknown, id: string): unknown => {
  const isAction = kind === 'action'
  const problems = checkSettings(spec.config, config, { templates: isAction })
  if (problems.length > 0) throw new YarakError('config', problems.map((one) => `${id}: ${one.message}`).join('; '))
  return isAction ? config : spec.config.parse(config)
}
