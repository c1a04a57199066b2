/** The dashboard and the alert rules, as tests read them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'
import { COUNTERS, HISTOGRAMS } from '../../src/counters.ts'

const ROOT = resolve(import.meta.dirname, '../..')
export const ALERTS = join(ROOT, 'charts/yarak/alerts')

export interface Target {
  readonly refId: string
  readonly expr: string
  readonly legendFormat: string
  readonly exemplar?: boolean
}

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly datasource?: { readonly type: string; readonly uid: string }
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number }
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
  readonly targets?: readonly Target[]
}

interface Variable {
  readonly name: string
  readonly type: string
  readonly query: string | { readonly query: string }
}

export interface Dashboard {
  readonly [key: string]: unknown
  readonly panels: readonly Panel[]
  readonly annotations: { readonly list: readonly { readonly expr?: string }[] }
  readonly templating: { readonly list: readonly Variable[] }
}

export interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
  readonly for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

export const readDashboard = (): Dashboard => JSON.parse(read('charts/yarak/dashboards/yarak.json')) as Dashboard

export const readRules = (): readonly Rule[] =>
  (parse(read('charts/yarak/alerts/yarak.yaml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules)

export const readRunbook = (): string => read('charts/yarak/alerts/README.md')

export const readRuleTests = (): string => read('charts/yarak/alerts/yarak_test.yaml')

/** The metrics of ours that an expression names, also inside of `__name__=~"..."`; of a distribution, its own name. */
export const metricsIn = (expr: string): string[] =>
  [...expr.matchAll(/\b(?:yarak|process)[_:][a-z0-9_]+/g)].map(([name]) => {
    const family = name.replace(/_(bucket|sum|count)$/, '')
    return Object.hasOwn(HISTOGRAMS, family) ? family : name
  })

/** The labels that an expression groups by or selects, but for those that a scrape or a distribution adds. */
export const labelsIn = (expr: string): string[] => {
  const groups = [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, names = '']) => names.split(', '))
  const selectors = [...expr.matchAll(/[{,]\s*(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, name = '']) => name)
  return [...new Set([...groups, ...selectors])].filter((name) => !['job', 'instance', 'le', '__name__'].includes(name))
}

/** What is counted or measured by, as its help text says: `by rule and outcome`. */
export const labelsOf = (metric: string): readonly string[] | undefined => {
  const help = (({ ...COUNTERS, ...HISTOGRAMS }) as Readonly<Record<string, string>>)[metric]
  return help === undefined ? undefined : (/.*\bby ([a-z, ]+?)(?=[.:]|$)/.exec(help)?.[1]?.split(/, | and /) ?? [])
}

const GAUGE = /'((?:yarak|process)_[a-z0-9_]+)'/g

/** Every metric of `/metrics`: what is counted and measured, and the gauges, which each file makes of its own. */
export const knownMetrics = (): ReadonlySet<string> => {
  const files = readdirSync(join(ROOT, 'src')).filter((file) => file.endsWith('.ts') && file !== 'counters.ts')
  const gauges = files.flatMap((file) => [...read(`src/${file}`).matchAll(GAUGE)].map(([, name = '']) => name))
  return new Set([...Object.keys(COUNTERS), ...Object.keys(HISTOGRAMS), ...gauges])
}

/** An expression as Grafana sends it: everything selected, and rates over `interval`. */
export const filled = (expr: string, interval = '1m'): string =>
  expr.replaceAll('$job', '.*').replaceAll('$instance', '.*').replaceAll('$__rate_interval', interval)
