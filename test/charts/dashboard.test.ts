/** The dashboard can be imported as it is, and shows what there is; every alert tells what to do. */
import { parse } from 'yaml'
import { describe, expect, it } from 'vitest'
import { COUNTERS, HISTOGRAMS } from '../../src/counters.ts'
import { yarak } from '../cli/_kit.ts'
import {
  labelsIn,
  labelsOf,
  filled,
  knownMetrics,
  metricsIn,
  readDashboard,
  readRules,
  readRuleTests,
  readRunbook,
  type Panel,
} from './_files.ts'

const dashboard = readDashboard()
const panels = dashboard.panels.filter(({ type }) => type !== 'row')
const targets = panels.flatMap(({ title, targets = [] }) => targets.map((target) => ({ title, ...target })))
const rules = readRules()
const alerts = rules.filter(({ alert }) => alert !== undefined)
const known = knownMetrics()

const unknownIn = (expr: string): string[] => metricsIn(expr).filter((name) => !known.has(name))
/** Labels that none of the expression's metrics has; what is no counter or distribution may have any. */
const unlabelledIn = (expr: string): string[] =>
  labelsIn(expr).filter((label) => metricsIn(expr).every((metric) => labelsOf(metric)?.includes(label) === false))
const twice = <T>(values: readonly T[]): T[] => values.filter((value, at) => values.indexOf(value) !== at)

describe('what is known of metrics', () => {
  it('has the counters, the distributions, and the gauges of every part', () => {
    const gauges = ['yarak_ready', 'yarak_notices_queued', 'yarak_input_lag', 'yarak_listener_up']
    for (const name of [...Object.keys(COUNTERS), ...Object.keys(HISTOGRAMS), ...gauges, 'process_cpu_seconds_total'])
      expect(known).toContain(name)
  })

  it('is found in expressions of any form', () => {
    expect(metricsIn('rate(yarak_reloads_total{a="yarak"}[5m]) / yarak:unaccounted')).toEqual([
      'yarak_reloads_total',
      'yarak:unaccounted',
    ])
    expect(metricsIn('sum({__name__=~"yarak_ready|process_open_fds", job=~".*"})')).toEqual([
      'yarak_ready',
      'process_open_fds',
    ])
    expect(metricsIn('rate(yarak_step_duration_seconds_bucket[5m])')).toEqual(['yarak_step_duration_seconds'])
    expect(unknownIn('yarak_reloads + yarak_events_received_total')).toEqual(['yarak_reloads'])
  })

  it('tells of labels that there are not', () => {
    expect(labelsOf('yarak_spans_total')).toEqual(['exporter', 'outcome', 'reason'])
    expect(labelsOf('yarak_audit_failures_total')).toEqual([])
    expect(unlabelledIn('sum by (job, rule, pod) (yarak_rules_matched_total{job="a", input!="b"})')).toEqual(['pod', 'input'])
  })
})

describe('the dashboard', () => {
  it('needs nothing to be imported', () => {
    expect(dashboard).toMatchObject({ title: 'Yarak', uid: 'yarak', refresh: '30s' })
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(38)
    for (const key of ['id', '__inputs', '__requires', '__elements']) expect(dashboard).not.toHaveProperty(key)
  })

  it('asks for the data source, the job and the instance', () => {
    const { list } = dashboard.templating
    expect(list.map(({ name, type }) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['job', 'query'],
      ['instance', 'query'],
    ])
    const queries = list.map(({ query }) => (typeof query === 'string' ? query : query.query))
    expect(queries.flatMap(unknownIn)).toEqual([])
    expect(queries[2]).toContain('job=~"$job"')
  })

  it('has a row for each side of the gateway', () => {
    expect(dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title)).toEqual([
      'Overview',
      'Responses',
      'Delivery',
      'Inputs',
      'Process',
      'Accounting',
    ])
  })

  it('uses what comes with Grafana', () => {
    expect([...new Set(dashboard.panels.map(({ type }) => type))].sort()).toEqual([
      'row',
      'stat',
      'state-timeline',
      'timeseries',
    ])
  })

  it.each(panels.map((panel) => [panel.title, panel] as const))('%s: says what it shows, and of what', (_, panel) => {
    expect(panel.title).toMatch(/^[A-Z]/)
    expect(panel.description).toMatch(/^[A-Z].*\.$/)
    expect(panel.fieldConfig?.defaults.unit).toMatch(/^[a-z]+$/)
    expect(panel.datasource).toEqual({ type: 'prometheus', uid: '${datasource}' })
    expect(panel.targets?.length).toBeGreaterThan(0)
    expect(twice((panel.targets ?? []).map(({ refId }) => refId))).toEqual([])
    for (const { legendFormat } of panel.targets ?? []) expect(legendFormat).not.toBe('')
  })

  it('names each panel once', () => {
    expect(twice(dashboard.panels.map(({ id }) => id))).toEqual([])
    expect(twice(panels.map(({ title }) => title))).toEqual([])
  })

  it('puts no panel over another', () => {
    const fields = dashboard.panels.flatMap(fieldsOf)
    expect(twice(fields)).toEqual([])
    for (const { gridPos } of dashboard.panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
  })

  it.each(targets.map(({ title, refId, expr }) => [`${title} ${refId}`, expr] as const))(
    '%s: asks for metrics that exist, of what is selected',
    (_, expr) => {
      expect(metricsIn(expr)).not.toEqual([])
      expect(unknownIn(expr)).toEqual([])
      expect(unlabelledIn(expr)).toEqual([])
      const selectors = [...expr.matchAll(/\{[^}]*\}/g)].map(([selector]) => selector)
      for (const selector of selectors) expect(selector).toMatch(/job=~"\$job", instance=~"\$instance"/)
      const bare = expr.replaceAll(/"[^"]*"/g, '""').match(/\b(?:yarak|process)_[a-z0-9_]+\b(?!\{)/g)
      expect(bare).toBeNull()
      expect(filled(expr)).not.toContain('$')
    },
  )

  it('marks new configurations', () => {
    const marks = dashboard.annotations.list.flatMap(({ expr }) => expr ?? [])
    expect(marks.flatMap(metricsIn)).toEqual(['yarak_config_generation'])
  })

  it('takes the examples of every distribution, so that a point leads to its trace', () => {
    const quantiles = targets.filter(({ expr }) => expr.includes('histogram_quantile'))
    expect(quantiles.filter(({ exemplar }) => exemplar !== true)).toEqual([])
    expect(new Set(quantiles.flatMap(({ expr }) => metricsIn(expr)))).toEqual(new Set(Object.keys(HISTOGRAMS)))
  })

  it('shows everything that is counted', () => {
    const shown = new Set(targets.flatMap(({ expr }) => metricsIn(expr)))
    expect(Object.keys(COUNTERS).filter((name) => !shown.has(name))).toEqual([])
  })
})

describe('the alerts', () => {
  const recorded = new Set(rules.flatMap(({ record }) => record ?? []))
  const runbook = readRunbook()
  const chapters = new Map(
    runbook
      .split(/^## /m)
      .slice(1)
      .map((chapter) => [chapter.split('\n', 1)[0] ?? '', chapter] as const),
  )

  it('are there, each once', () => {
    expect(alerts.length).toBeGreaterThan(15)
    expect(twice(alerts.map(({ alert }) => alert))).toEqual([])
  })

  it.each(rules.map((rule) => [`${rule.alert ?? rule.record} ${rule.labels.of ?? ''}`, rule] as const))(
    '%s: asks for metrics that exist',
    (_, { expr }) => {
      expect(metricsIn(expr)).not.toEqual([])
      expect(unknownIn(expr).filter((name) => !recorded.has(name))).toEqual([])
      expect(unlabelledIn(expr)).toEqual([])
    },
  )

  it.each(alerts.map((rule) => [rule.alert ?? '', rule] as const))('%s: tells what it is and what to do', (name, rule) => {
    const { summary, description, runbook: place, ...others } = rule.annotations ?? {}
    expect(name).toMatch(/^Yarak[A-Z][A-Za-z]+$/)
    expect(others).toEqual({})
    expect(summary).toMatch(/^[A-Z].*[^.]$/)
    expect(description).toMatch(/^[A-Z].*\.$/s)
    expect(['critical', 'warning']).toContain(rule.labels.severity)
    expect(place).toBe(`charts/yarak/alerts/README.md#${name.toLowerCase()}`)
    const chapter = chapters.get(name) ?? ''
    for (const part of ['Means', 'Look at', 'Do']) expect(chapter).toMatch(new RegExp(`^\\*\\*${part}\\*\\* \\S`, 'm'))
  })

  it('are what the runbook is about, in its order', () => {
    expect([...chapters.keys()]).toEqual(alerts.map(({ alert }) => alert))
  })

  const commands = [...new Set([...runbook.matchAll(/`yarak ([a-z]+(?: [a-z]+)?)/g)].map(([, command = '']) => command))]
  it.each(commands)('send people to a command that exists: yarak %s', async (command) => {
    const { code, out } = await yarak([...command.split(' '), '--help'])
    expect(code).toBe(0)
    expect(out).toContain(`Usage: yarak ${command} `)
  })

  it('are named by labels that their expressions keep', () => {
    for (const { expr, annotations = {} } of alerts) {
      const used = Object.values(annotations).flatMap((text) => [...text.matchAll(/\$labels\.(\w+)/g)].map(([, one]) => one))
      const kept = /^\s*sum by \(([^)]*)\)/.exec(expr)?.[1]?.split(', ')
      if (kept) for (const label of used) expect(kept).toContain(label)
    }
  })

  it('are each made to fire by a test, and to be quiet by another', () => {
    const { tests } = parse(readRuleTests()) as {
      tests: { name: string; promql_expr_test: { exp_samples: { labels: string }[] }[] }[]
    }
    const evaluations = tests.flatMap(({ promql_expr_test: all }) => all.map(({ exp_samples: samples }) => samples))
    const fired = new Set(evaluations.flat().map(({ labels }) => /"(\w+)"/.exec(labels)?.[1]))
    expect([...fired].sort()).toEqual(alerts.map(({ alert }) => alert).sort())
    expect(evaluations.filter((samples) => samples.length === 0).length).toBeGreaterThan(alerts.length)
    expect(twice(tests.map(({ name }) => name))).toEqual([])
  })
})

/** The cells of the grid that a panel covers. */
const fieldsOf = ({ gridPos: { h, w, x, y } }: Panel): string[] =>
  Array.from({ length: h * w }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`)
