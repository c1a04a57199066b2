/** Building blocks for settings schemas, and the one function that checks a value against a schema. */
import { z } from 'zod'

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const NOT_A_DURATION = 'must be a duration such as 500ms, 30s, 5m or 1h'
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/** Milliseconds of a text such as `500ms`, `30s`, `5m`, `1h`, `1d`; undefined when it is not one. */
export const parseDuration = (text: string): number | undefined => {
  const match = DURATION.exec(text.trim())
  return match ? Number(match[1]) * UNITS[match[2] as keyof typeof UNITS] : undefined
}

/**
 * A duration setting: written as `500ms`, `30s`, `5m`, `1h` or `1d`, read as milliseconds.
 * @example z.strictObject({ timeout: duration().prefault('30s').describe('Deadline of one try. Default 30s.') })
 */
export const duration = () =>
  z
    .string(NOT_A_DURATION)
    .regex(DURATION, NOT_A_DURATION)
    .transform((text) => parseDuration(text) ?? 0)

const SIZES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const
const SIZE = /^(\d+)\s*(B|KiB|MiB|GiB)?$/

/** A size setting: a number of bytes, or a text such as `64KiB`, `10MiB`; read as bytes. */
export const size = () =>
  z.union([
    z.int().nonnegative(),
    z
      .string()
      .regex(SIZE, 'must be a size such as 512B, 64KiB or 10MiB')
      .transform((text) => {
        const match = SIZE.exec(text)
        return Number(match?.[1]) * SIZES[(match?.[2] ?? 'B') as keyof typeof SIZES]
      }),
  ])

/** A text that is never printed: logs, `config print` and `check` show `***`. */
export const secret = () => z.string().min(1, 'must not be empty').meta({ secret: true })

/** One thing wrong with a value: where in it, and what. */
export interface Problem {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/**
 * The schema for settings whose templates have been rendered: without the checks of what may be written as a template,
 * as a rendered text may hold braces of its own.
 */
export const renderedSchema = (schema: z.ZodType): z.ZodType => {
  const { checks = [] } = schema.def
  const left = checks.filter((check) => !isOfWriting(check))
  return left.length === checks.length ? schema : schema.clone({ ...schema.def, checks: left })
}

/** As `fixed` of the actions marks them. */
const isOfWriting = ({ _zod: { def } }: z.core.$ZodCheck<never>): boolean =>
  (def as { readonly params?: { readonly asWritten?: boolean } }).params?.asWritten === true

/** True for a text that Liquid would change. */
export const isTemplate = (value: unknown): value is string => typeof value === 'string' && /\{\{|\{%/.test(value)

/**
 * Everything wrong with `value`, in order. With `templates`, a leaf that is a Liquid template is taken on trust:
 * what it renders to is checked when it has rendered.
 */
export const checkSettings = (schema: z.ZodType, value: unknown, options: { templates?: boolean } = {}): Problem[] => {
  const parsed = schema.safeParse(value)
  if (parsed.success) return []
  const trusted = options.templates ? [...templatePaths(value)] : []
  return withoutEchoes(parsed.error.issues)
    .filter((issue) => !trusted.some((leaf) => mayComeFrom(leaf, issue)))
    .flatMap((issue) => describeIssue(issue, value))
}

/** Of a value of the wrong type, zod also tells the length that it does not have. */
const withoutEchoes = (issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] => {
  const wrongType = new Set(issues.filter(({ code }) => code === 'invalid_type').map(({ path }) => path.join('\0')))
  return issues.filter(({ code, path }) => !/^too_/.test(code) || !wrongType.has(path.join('\0')))
}

/** A name is never a template; what a union says of a whole may be the fault of any leaf in it. */
const mayComeFrom = (leaf: Path, { code, path }: z.core.$ZodIssue): boolean => {
  if (code === 'unrecognized_keys' || code === 'invalid_key') return false
  const reaches = code === 'invalid_union' || leaf.length === path.length
  return reaches && leaf.length > 0 && path.every((part, i) => part === leaf[i])
}

type Path = readonly (string | number)[]

function* templatePaths(value: unknown, path: Path = []): Generator<Path> {
  if (isTemplate(value)) yield path
  else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      yield* templatePaths(inner, [...path, Array.isArray(value) ? Number(key) : key])
    }
  }
}

const pathText = (path: Path): string =>
  path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('')

const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((inner, part) => (inner as Record<string | number, unknown> | undefined)?.[part], value)

const typeName = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'a map' : `a ${typeof value}`

/** Says what a zod issue means in the words of a settings file. */
const describeIssue = (issue: z.core.$ZodIssue, value: unknown): Problem[] => {
  const path = issue.path.filter((part) => typeof part !== 'symbol')
  const name = pathText(path)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: `${pathText([...path, key])} is not a known setting`,
    }))
  }
  const found = at(value, path)
  const isMissing = found === undefined && (issue.code === 'invalid_type' || issue.code === 'invalid_value')
  if (isMissing) return [{ path, message: `${name} is required` }]
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input')) {
    return [
      {
        path,
        message: `${name || 'the value'} must be ${article(issue.expected)}, not ${issue.expected === 'int' && typeof found === 'number' ? found : typeName(found)}`,
      },
    ]
  }
  if (issue.code === 'invalid_value') {
    return [
      {
        path,
        message: `${name} must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`,
      },
    ]
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map(({ message }) => ({ path, message: `${name}: ${message.replace(/^Invalid input: /, '')}` }))
  }
  if (issue.code === 'invalid_union') return unionProblems(issue, path, value)
  const text = issue.message.replace(/^Invalid input: /, '')
  return [{ path, message: `${name ? `${name}: ` : ''}${text.charAt(0).toLowerCase()}${text.slice(1)}` }]
}

/** Where one choice is of the type that was given, what is wrong in it; else what there is to choose from. */
const unionProblems = (issue: z.core.$ZodIssueInvalidUnion, path: Path, value: unknown): Problem[] => {
  const name = pathText(path)
  if (at(value, path) === undefined) return [{ path, message: `${name} is required` }]
  const ofThisType = nearestMaps(
    issue.errors.filter(([first]) => first?.code !== 'invalid_type' || first.path.length > 0),
    at(value, path),
  )
  const [meant, ...others] = ofThisType
  if (meant && others.length === 0) {
    return meant.flatMap((inner) => describeIssue({ ...inner, path: [...path, ...inner.path] }, value))
  }
  const [first, ...rest] = issue.errors.map(([one]) => one)
  const sameType = rest.every((one) => one?.code === 'invalid_type' && one.message === first?.message)
  if (!meant && first && sameType) return describeIssue({ ...first, path: [...path] }, value)
  const branches = meant ? ofThisType : issue.errors
  const choices = branches.flat().map((inner) => inner.message.replace(/^Invalid input: /, ''))
  return [{ path, message: `${name ? `${name}: ` : ''}${[...new Set(choices)].join(', or ') || issue.message}` }]
}

type Choice = z.core.$ZodIssueInvalidUnion['errors'][number]

/** Of several kinds of map the one is meant that knows most of the keys that are there. */
const nearestMaps = (choices: readonly Choice[], value: unknown): readonly Choice[] => {
  if (choices.length < 2 || typeof value !== 'object' || value === null || Array.isArray(value)) return choices
  const strange = choices.map((issues) =>
    issues.reduce(
      (sum, one) => (one.code === 'unrecognized_keys' && one.path.length === 0 ? sum + one.keys.length : sum),
      0,
    ),
  )
  return choices.slice(strange.indexOf(Math.min(...strange))).slice(0, 1)
}

const article = (type: string): string => {
  const names: Record<string, string> = { object: 'a map', record: 'a map', array: 'a list', int: 'a whole number' }
  return names[type] ?? `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`
}
