/** Findings quote errors of others, which may quote what they were given. */
import type { Document, Path } from '../config/document.ts'
import { decoded, type Finding } from './finding.ts'

/** Shorter ones may stand anywhere. */
const SHORTEST = 5

/**
 * The findings with every secret of the configuration, of the headers of telemetry, and every password of an address
 * in the environment, as `***`.
 */
export const masked = (
  findings: readonly Finding[],
  document: Document,
  env: Readonly<Record<string, string | undefined>>,
): readonly Finding[] => {
  const secrets = [...secretsIn(document), ...headersIn(env), ...Object.values(env).flatMap(passwordIn)]
    .filter((one) => one.length >= SHORTEST)
    .flatMap((one) => [one, encodeURIComponent(one)])
    .sort((one, other) => other.length - one.length)
  const clean = (text: string): string => secrets.reduce((rest, one) => rest.replaceAll(one, '***'), text)
  return findings.map((one) => ({
    ...one,
    message: clean(one.message),
    ...(one.remedy !== undefined && { remedy: clean(one.remedy) }),
  }))
}

/** What the secret settings are, wherever their values come from. */
const secretsIn = ({ places, secrets, value }: Document): string[] =>
  [...places].flatMap(([key, place]) => {
    const isSecret = [...secrets].some(({ start, end }) => start <= place.value.start && place.value.end <= end)
    const found = isSecret ? valueAt(value, JSON.parse(key) as Path) : undefined
    return typeof found === 'string' ? [found] : []
  })

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (inner, part) => (inner as Readonly<Record<string | number, unknown>> | undefined)?.[part],
    value,
  )

const headersIn = (env: Readonly<Record<string, string | undefined>>): string[] =>
  Object.entries(env)
    .filter(([name]) => /^OTEL_EXPORTER_OTLP_(?:\w+_)?HEADERS$/.test(name))
    .flatMap(([, text = '']) => text.split(',').map((pair) => pair.slice(pair.indexOf('=') + 1).trim()))
    .flatMap((one) => [one, decoded(one)])

/** As it is written there, and as it is meant. */
const passwordIn = (text = ''): string[] => {
  const password = text.includes('@') ? URL.parse(text.trim())?.password : undefined
  return password ? [password, decoded(password)] : []
}
