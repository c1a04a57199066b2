/**
 * Liquid templates over an event: parsed once; a literal or a plain path never enters Liquid.
 * Event values are data: they are never parsed as a template, and nothing of the environment can be reached.
 */
import { Context, Liquid, type Template } from 'liquidjs'
import { messageOf, YarakError } from './errors.ts'
import { type FieldValue, textOf, toJson } from './event.ts'
import { lookup, type NamePath, parseName, type Scope } from './names.ts'
import { isTemplate } from './settings.ts'

/** A compiled text. */
export interface CompiledTemplate {
  /**
   * The text with its values. A template that is exactly one `{{ path }}` gives the value with its JSON type.
   * @throws YarakError `failed` when a value is missing, unless `missing` is `empty`
   */
  render(scope: Scope, missing?: 'fail' | 'empty'): unknown
}

type Filter = (value: unknown, ...args: unknown[]) => unknown

const asText = (value: unknown): string => textOf(value as FieldValue)

/** A valid label value: letters, digits, `-`, `_` and `.`, at most 63 characters. */
const slug = (value: unknown): string =>
  asText(value)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')

/** Half of a character outside the BMP is left out. */
const cut = (text: string, length: number): string => text.slice(0, length).replace(/[\ud800-\udbff]$/, '')

const HTML = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' } as const

/** The filters beside Liquid's own. */
const FILTERS: Readonly<Record<string, Filter>> = {
  slug,
  /** The names in a map, sorted; of a list its indexes. */
  keys: (value) =>
    Array.isArray(value) ? [...value.keys()] : typeof value === 'object' && value ? Object.keys(value).sort() : [],
  json: (value) => toJson(value ?? null),
  /** One word of a POSIX shell. */
  shell: (value) => `'${asText(value).replaceAll("'", String.raw`'\''`)}'`,
  /** Text that Markdown shows as it is. */
  md: (value) => asText(value).replaceAll(/([\\`*_{}[\]()#+\-.!|<>~])/g, String.raw`\$1`),
  html: (value) => asText(value).replaceAll(/[&<>"']/g, (char) => HTML[char as keyof typeof HTML]),
  /** One segment or value of a URL. */
  url: (value) => encodeURIComponent(asText(value).toWellFormed()),
  trunc: (value, length = 80) => {
    const text = asText(value)
    return text.length > Number(length) ? `${cut(text, Math.max(0, Number(length) - 1))}…` : text
  },
}

/** Names of the filters that are ours. */
export const FILTER_NAMES: readonly string[] = Object.keys(FILTERS)

/** Tags that read files, which no template may. */
const NO_TAGS = ['include', 'render', 'layout', 'block', 'liquid']

const createLiquid = (asText: (value: unknown) => string): Liquid => {
  const liquid = new Liquid({
    templates: {},
    strictFilters: true,
    lenientIf: true,
    ownPropertyOnly: true,
    outputEscape: asText,
    timezoneOffset: 0,
    parseLimit: 100_000,
    renderLimit: 1_000,
    memoryLimit: 10_000_000,
  })
  for (const [name, filter] of Object.entries(FILTERS)) liquid.registerFilter(name, filter)
  for (const tag of NO_TAGS) delete liquid.tags[tag]
  return liquid
}

/** Liquid's own names (loop variables, assigned ones) first, then ours. */
class NamesContext extends Context {
  readonly #names: Scope
  readonly #missing: 'fail' | 'empty'

  constructor(names: Scope, missing: 'fail' | 'empty', liquid: Liquid) {
    super(Object.create(null) as object, liquid.options, { sync: true }, { liquid })
    this.#names = names
    this.#missing = missing
  }

  override *_get(paths: Parameters<Context['_get']>[0]): IterableIterator<unknown> {
    const local: unknown = yield* super._get(paths)
    if (local !== undefined) return local
    const value = lookup(paths.map(partOf), this.#names)
    if (value === undefined && this.#missing === 'fail') throw new MissingValue(paths.map(partOf).join('.'))
    return value
  }
}

/** A part of a path as Liquid gives it: a name, an index, or a value that was looked up to be one. */
const partOf = (part: unknown): string | number =>
  typeof part === 'number' ? part : typeof part === 'string' ? part : asText(part)

/** Liquid lets `| default` catch an error of this name. */
class MissingValue extends Error {
  override readonly name = 'InternalUndefinedVariableError'
  constructor(path: string) {
    super(`${path} has no value`)
  }
}

const ONE_PATH = /^\{\{-?\s*([A-Za-z_][\w.-]*(?:\[(?:\d+|"[^"]*"|'[^']*')\][\w.-]*)*)\s*-?\}\}$/
const PATHS = /\{\{\s*([A-Za-z_][\w.-]*(?:\[(?:\d+|"[^"]*"|'[^']*')\][\w.-]*)*)\s*\}\}/g

type Part = string | { readonly name: string; readonly path: NamePath }

/** A text whose only tags are plain paths, cut at them; undefined when Liquid is needed. */
const plainParts = (text: string): Part[] | undefined => {
  const parts: Part[] = []
  let end = 0
  for (const match of text.matchAll(PATHS)) {
    parts.push(text.slice(end, match.index), { name: match[1] ?? '', path: parseName(match[1] ?? '') })
    end = match.index + match[0].length
  }
  parts.push(text.slice(end))
  return parts.some((part) => typeof part === 'string' && isTemplate(part)) ? undefined : parts
}

const missingError = (name: string): YarakError =>
  new YarakError('failed', `{{ ${name} }} has no value; give one with | default:`, {
    permanent: true,
    reason: 'missing-value',
  })

const present = (name: string, path: NamePath, scope: Scope, missing: 'fail' | 'empty'): unknown => {
  const value = lookup(path, scope)
  if (value === undefined && missing === 'fail') throw missingError(name)
  return value
}

/**
 * Compiles templates. Made once per gateway or check; holds no state but Liquid's set-up.
 * @param escape applied to every value that goes into a text; what is exactly one `{{ path }}` is a text then too. Default none
 */
export const createTemplates = (escape?: (value: string) => string) => {
  const shown = escape ? (value: unknown) => escape(asText(value)) : asText
  let made: Liquid | undefined
  const liquidOf = (): Liquid => (made ??= createLiquid(shown))

  const parse = (text: string): Template[] => {
    try {
      return liquidOf().parse(text)
    } catch (cause) {
      throw new YarakError('config', templateMessage(cause), { cause, permanent: true })
    }
  }

  const compile = (text: string): CompiledTemplate => {
    const one = ONE_PATH.exec(text)?.[1]
    if (one) {
      const path = parseName(one)
      const value = (scope: Scope, missing: 'fail' | 'empty') => present(one, path, scope, missing)
      return { render: (scope, missing = 'fail') => (escape ? shown(value(scope, missing)) : value(scope, missing)) }
    }
    const parts = plainParts(text)
    if (parts) return { render: (scope, missing = 'fail') => joined(parts, scope, missing, shown) }
    const parsed = parse(text)
    return {
      render(scope, missing = 'fail') {
        try {
          return liquidOf().renderSync(parsed, new NamesContext(scope, missing, liquidOf())) as string
        } catch (cause) {
          const reason = /has no value/.test(messageOf(cause)) ? 'missing-value' : 'template'
          throw new YarakError('failed', templateMessage(cause), { cause, permanent: true, reason })
        }
      },
    }
  }

  /** Compiles every template leaf of a value; what has none is returned as it is. */
  const compileValue = (value: unknown): ((scope: Scope, missing?: 'fail' | 'empty') => unknown) => {
    if (isTemplate(value)) {
      const compiled = compile(value)
      return (scope, missing) => compiled.render(scope, missing)
    }
    if (Array.isArray(value)) {
      const items = value.map(compileValue)
      return (scope, missing) => items.map((item) => item(scope, missing))
    }
    if (typeof value === 'object' && value !== null) {
      const entries = Object.entries(value).map(([key, inner]) => [key, compileValue(inner)] as const)
      return (scope, missing) => Object.fromEntries(entries.map(([key, render]) => [key, render(scope, missing)]))
    }
    return () => value
  }

  return { compile, compileValue }
}

export type Templates = ReturnType<typeof createTemplates>

const joined = (
  parts: readonly Part[],
  scope: Scope,
  missing: 'fail' | 'empty',
  shown: (value: unknown) => string,
): string =>
  parts.map((part) => (typeof part === 'string' ? part : shown(present(part.name, part.path, scope, missing)))).join('')

/** Liquid's message without its file and context lines. */
const templateMessage = (error: unknown): string => {
  const first = messageOf((error as { originalError?: unknown }).originalError ?? error).split('\n')[0] ?? ''
  const { token } = error as { token?: { getPosition?: () => [number, number] } }
  const position = token?.getPosition?.()
  return position
    ? `template, line ${position[0]}, column ${position[1]}: ${first.replace(/, line:\d+, col:\d+$/, '')}`
    : first
}
