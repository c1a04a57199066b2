/** `${env:NAME}`, `${env:NAME:-default}`, `${file:/path}` and `${here}` inside one scalar; `$${` is a plain `${`. */
import { messageOf } from '../errors.ts'

/** What references may reach. */
export interface References {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The text of a file. Throws when it cannot be read. */
  file(path: string): string
  /** The folder of the file that the scalar stands in. Default the working directory. */
  readonly here?: string
}

/** Something wrong with a reference: where in the scalar, and what. */
export interface ReferenceFault {
  readonly offset: number
  readonly message: string
  readonly severity: 'error' | 'warning'
}

/** A scalar with its references resolved. */
export interface Interpolated {
  readonly text: string
  /** `env NAME`, `file PATH`, ...; empty when there was no reference. */
  readonly origins: readonly string[]
  /** The scalar is exactly one reference. */
  readonly whole: boolean
  readonly faults: readonly ReferenceFault[]
}

const PARTS = /\$\$\{|\$\{([^}]*)\}|\$\{/g
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * Resolves the references of a scalar. What comes in is text and stays text: it is never parsed again.
 * A variable that is empty counts as not set where there is a default, as in a shell.
 * @example interpolate('${env:HOST:-localhost}:80', { env: {}, file }).text // 'localhost:80'
 */
export const interpolate = (scalar: string, references: References): Interpolated => {
  if (!scalar.includes('${')) return { text: scalar, origins: [], whole: false, faults: [] }
  const origins: string[] = []
  const faults: ReferenceFault[] = []
  const text = scalar.replaceAll(PARTS, (match: string, inner: string | undefined, offset: number) => {
    if (match === '$${') return '${'
    const resolved = inner === undefined ? unclosed(scalar.slice(offset)) : resolve(inner, references)
    if (resolved.fault) faults.push({ severity: 'error', ...resolved.fault, offset })
    if (resolved.origin) origins.push(resolved.origin)
    return resolved.text ?? match
  })
  const whole = origins.length === 1 && /^\$\{[^}]*\}$/.test(scalar)
  return { text, origins, whole, faults }
}

interface Resolved {
  readonly text?: string
  readonly origin?: string
  readonly fault?: { readonly message: string; readonly severity?: 'warning' }
}

const unclosed = (rest: string): Resolved =>
  /^\$\{(env|file):/.test(rest) ? { fault: { message: 'a reference `${...}` is not closed by `}`' } } : {}

const resolve = (inner: string, references: References): Resolved => {
  if (inner.startsWith('env:')) return variable(inner.slice(4), references)
  if (inner.startsWith('file:')) return contents(inner.slice(5), references)
  if (inner === 'here') return { text: references.here ?? '.', origin: 'the folder of this file' }
  const name = inner.replace(/:?-.*$/s, '')
  return NAME.test(name)
    ? { fault: { message: `\${${inner}} is taken as it stands; a variable is \${env:${name}}`, severity: 'warning' } }
    : {}
}

const variable = (inner: string, { env }: References): Resolved => {
  const split = inner.indexOf(':-')
  const name = split < 0 ? inner : inner.slice(0, split)
  if (!NAME.test(name))
    return { fault: { message: `\${env:${inner}}: ${name || 'nothing'} is not the name of a variable` } }
  const value = Object.hasOwn(env, name) ? env[name] : undefined
  if (split >= 0 && (value === undefined || value === '')) {
    return { text: inner.slice(split + 2), origin: `default of env ${name}` }
  }
  if (value !== undefined) return { text: value, origin: `env ${name}` }
  return { fault: { message: `the environment variable ${name} is not set; a default is \${env:${name}:-...}` } }
}

const contents = (path: string, references: References): Resolved => {
  if (path === '') return { fault: { message: '${file:} names no file' } }
  try {
    return { text: references.file(path).replace(/\r?\n$/, ''), origin: `file ${path}` }
  } catch (error) {
    return { fault: { message: `cannot read \${file:${path}}: ${messageOf(error)}` } }
  }
}
