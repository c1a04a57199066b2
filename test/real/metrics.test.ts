/** What /metrics tells is read by a real Prometheus, and the dashboard and the alerts find in it what they look for. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALERTS, filled, metricsIn, readDashboard, readRules } from '../charts/_files.ts'
import { createKilled } from './_killed.ts'
import { freePort, type Running, until } from './part.ts'
import { prometheus, type PrometheusAddresses } from './prometheus.ts'
import { describePart } from './vitest.ts'

const NASTY = '"quoted" \\ back\\slash {a="b"} # EOF\n# TYPE x counter → ünïcödé 🦅'

/** What this load does not bring about: panels about nothing else may be empty. */
const ABSENT = new Set([
  'yarak_input_lag',
  'yarak_input_skipped_total',
  'yarak_input_failures_total',
  'yarak_events_resumed_total',
  'yarak_events_repeated_total',
  'yarak_enrich_failures_total',
  'yarak_listener_client_errors_total',
  'yarak_notices_restored_total',
  'yarak_responses_suppressed_total',
  'yarak_rule_field_missing_total',
  'yarak_undos_total',
  'yarak_spans_total',
  'yarak_log_records_total',
  'yarak_audit_failures_total',
  'yarak_admin_refusals_total',
])

interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [number, string]
}

interface Alert {
  readonly state: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** An HTTP server with one answer. */
const sink = (status: number, port = 0): Promise<Server> => {
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(status).end())
  })
  return new Promise((ready) => server.listen(port, '127.0.0.1', () => ready(server)))
}
const addressOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`

/** Rules that succeed, fail and are refused, each for one kind of event. */
const answers = [
  { rule: NASTY, condition: 'rule = "Good"', join: '0s', steps: [{ action: 'log' }] },
  {
    rule: 'Fails',
    condition: 'rule = "Bad"',
    join: '0s',
    steps: [{ action: 'local:script', with: { command: ['false'], changes: 'nothing' } }],
  },
  {
    rule: 'Refused',
    condition: 'rule = "Ugly"',
    join: '0s',
    steps: [{ action: 'local:script', with: { command: ['true'], changes: 'destructive' } }],
  },
  { rule: 'Joins', condition: 'rule = "Good"', join: '60s', steps: [{ action: 'log' }] },
]

const alert = (rule: string, more: Record<string, unknown> = {}) => ({
  ...{ rule, priority: 'Warning', time: new Date().toISOString(), output: `no ${Math.random()}` },
  output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1' },
  ...more,
})

describePart(prometheus, () => {
  describe('the metrics of a gateway', () => {
    const folder = mkdtempSync(join(tmpdir(), 'yarak-metrics-'))
    const config = join(folder, 'yarak.yaml')
    const gateway = createKilled(config)
    const servers: Server[] = []
    let scraper: Running<PrometheusAddresses>
    let base = ''
    let whole = {}
    let downPort = 0

    const begin = async (): Promise<number> => {
      const [good, bad] = [await sink(200), await sink(404)]
      servers.push(good, bad)
      downPort = await freePort()
      const port = await freePort()
      const outputs = {
        'webhook/good': { address: addressOf(good), tell: 'both' },
        'webhook/digest': { address: addressOf(good), digest: { window: '1m' } },
        'webhook/picky': { address: addressOf(good), minimumPriority: 'emergency' },
        'webhook/bad': { address: addressOf(bad) },
        'webhook/down': { address: `http://127.0.0.1:${downPort}/` },
      }
      const settings = { version: 1, mode: 'enforce', listen: `127.0.0.1:${port}`, dataDir: join(folder, 'data') }
      const guards = { budgets: [{ changes: 'destructive', scope: 'cluster', limit: 0, window: '1m' }] }
      // with traces there are examples of them
      const telemetry = { console: true }
      whole = { ...settings, telemetry, guards, inputs: { http: {} }, rules: answers, outputs }
      writeFileSync(config, JSON.stringify(whole))
      await gateway.start(port)
      base = `http://127.0.0.1:${port}`
      return port
    }

    const post = async (body: string): Promise<number> => {
      const answer = await fetch(base, { method: 'POST', body })
      await answer.arrayBuffer()
      return answer.status
    }
    /** Some of everything. */
    const load = async (): Promise<void> => {
      const bodies = ['Good', 'Bad', 'Ugly', NASTY].flatMap((rule) =>
        Array.from({ length: 5 }, () => JSON.stringify(alert(rule))),
      )
      for (const body of bodies) expect(await post(body)).toBeLessThan(300)
      expect(
        await post(JSON.stringify(alert('Falco internal: syscall event drop', { source: 'internal' }))),
      ).toBeLessThan(300)
      expect(await post('{ no event')).toBe(400)
    }

    const api = async <T>(path: string): Promise<T> => {
      const answer = await fetch(`${scraper.addresses.url}/api/v1/${path}`)
      const { status, error, data } = (await answer.json()) as { status: string; error?: string; data: T }
      if (status !== 'success') throw new Error(`${path}: ${error}`)
      return data
    }
    const query = async (expr: string): Promise<readonly Sample[]> =>
      (await api<{ result: readonly Sample[] }>(`query?query=${encodeURIComponent(expr)}`)).result
    const firing = async (name: string, output: string): Promise<Alert | undefined> =>
      (await api<{ alerts: readonly Alert[] }>('alerts')).alerts.find(
        ({ state, labels }) => state === 'firing' && labels.alertname === name && labels.output === output,
      )
    const promtool = (args: readonly string[], input?: string): string =>
      execFileSync(scraper.addresses.promtool, args, { cwd: ALERTS, encoding: 'utf8', stdio: 'pipe', input })

    beforeAll(async () => {
      const port = await begin()
      // what is to be waited for is tested by promtool: here nothing waits
      const rules = readFileSync(join(ALERTS, 'yarak.yaml'), 'utf8').replaceAll(/for: \d+m/g, 'for: 1s')
      scraper = await prometheus.start({ targets: [`127.0.0.1:${port}`], rules })
      await load()
      await until('a scrape of the first load', async () => (await query('yarak_rules_matched_total'))[0])
      const more = { rule: 'New', condition: 'rule = "New"', steps: [{ action: 'log' }] }
      writeFileSync(config, JSON.stringify({ ...whole, rules: [...answers, more] }))
      await until('a scrape after a reload', async () => (await query('yarak_config_generation == 2'))[0])
      await load()
    })
    afterAll(async () => {
      await scraper?.stop()
      await gateway.kill()
      for (const server of servers) server.close().closeAllConnections()
      rmSync(folder, { recursive: true, force: true })
    })

    it('are as promtool wants them', async () => {
      const text = await (await fetch(`${base}/metrics`)).text()
      expect(text).toContain('rule="\\"quoted\\" \\\\ back\\\\slash {a=\\"b\\"} # EOF\\n# TYPE x counter → ünïcödé 🦅"')
      expect(promtool(['check', 'metrics'], text)).toBe('')
    })

    it('are scraped, with every character of a rule', async () => {
      const { activeTargets } = await api<{ activeTargets: { health: string; lastError: string }[] }>('targets')
      expect(activeTargets).toMatchObject([{ health: 'up', lastError: '' }])
      const matched = await query('yarak_rules_matched_total')
      expect(matched.map(({ metric }) => metric.rule)).toContain(NASTY)
    })

    it('tell what the load did', async () => {
      const counts = async (expr: string): Promise<number> => Number((await query(expr))[0]?.value[1])
      const is = (expr: string, value: number) => expect.poll(() => counts(expr), { timeout: 20_000 }).toBe(value)
      await is('sum(yarak_events_received_total)', 44)
      await is('sum(yarak_events_rejected_total{reason="invalid"})', 2)
      await is('sum(yarak_responses_ended_total{rule="Fails", outcome="failed"})', 10)
      await is('sum(yarak_responses_ended_total{rule="Refused", outcome="refused"})', 10)
      await is('sum(yarak_guard_refusals_total)', 10)
      await is('sum(yarak_notices_dead_lettered_total{output="webhook/bad"})', 40)
      await is('yarak_notices_queued{output="webhook/down"}', 40)
      await is('yarak_output_breaker_open{output="webhook/down"}', 1)
      await is('yarak_journal_max_bytes', 1_073_741_824)
      await is('sum(yarak_response_duration_seconds_count{rule="Fails"})', 10)
      await is('yarak_ready', 1)
    })

    it('account for every event, match and notice', async () => {
      const left = async () => {
        const samples = await query('yarak:unaccounted')
        return samples.map(({ metric: { of, output = '' }, value }) => `${of} ${output} ${value[1]}`).sort()
      }
      const outputs = ['bad', 'digest', 'down', 'good', 'picky'].map((name) => `notices webhook/${name} 0`)
      await expect.poll(left, { timeout: 20_000 }).toEqual(['events  0', 'matches  0', ...outputs])
    })

    const targets = readDashboard().panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ refId, expr }) => ({ name: `${title} ${refId}`, expr })),
    )
    it.each(targets)('fill the panel $name', async ({ expr }) => {
      const isEmpty = metricsIn(expr).every((name) => ABSENT.has(name))
      const ask = async () => (await query(filled(expr, '30s'))).length
      if (isEmpty) await ask()
      else await expect.poll(ask, { timeout: 10_000 }).toBeGreaterThan(0)
    })

    it('have examples that lead to a trace', async () => {
      const expr = encodeURIComponent(
        '{__name__=~"yarak_(alert_to_action|step_duration|delivery_duration)_seconds_bucket"}',
      )
      const [start, end] = [Date.now() / 1_000 - 600, Date.now() / 1_000 + 60]
      const found = await api<{ seriesLabels: { __name__: string }; exemplars: { labels: { trace_id?: string } }[] }[]>(
        `query_exemplars?query=${expr}&start=${start}&end=${end}`,
      )
      expect(new Set(found.map(({ seriesLabels }) => seriesLabels.__name__)).size).toBe(3)
      for (const { labels } of found.flatMap(({ exemplars }) => exemplars))
        expect(labels.trace_id).toMatch(/^[0-9a-f]{32}$/)
    })

    it('fill the variables of the dashboard', async () => {
      expect(await api<string[]>('label/job/values?match[]=yarak_build_info')).toEqual(['yarak'])
      expect(await api<string[]>('label/instance/values?match[]=yarak_build_info')).toHaveLength(1)
    })

    it('are what the alerts ask for', async () => {
      promtool(['check', 'rules', 'yarak.yaml'])
      promtool(['test', 'rules', 'yarak_test.yaml'])
      const evaluated = async () => {
        const { groups } = await api<{ groups: { rules: { name: string; health: string; lastError?: string }[] }[] }>(
          'rules',
        )
        return groups
          .flatMap(({ rules }) => rules)
          .map(({ name, health, lastError }) => `${name} ${lastError ?? health}`)
      }
      const all = readRules().map(({ alert: name, record = '' }) => `${name ?? record} ok`)
      await expect.poll(async () => (await evaluated()).sort(), { timeout: 20_000 }).toEqual(all.sort())
      for (const { expr } of readRules()) await query(expr)
    })

    it('raise an alert about an output that is down, and take it back when it is up', async () => {
      const raised = await until('the alert', () => firing('YarakOutputBreakerOpen', 'webhook/down'))
      expect(raised.labels).toMatchObject({ severity: 'warning', job: 'yarak' })
      expect(raised.annotations.summary).toBe(`Output webhook/down of Yarak ${base.slice(7)} is down`)
      expect(await firing('YarakOutputBreakerOpen', 'webhook/good')).toBeUndefined()
      const letters = await until('the alert', () => firing('YarakDeadLetters', 'webhook/bad'))
      expect(letters.annotations.description).toMatch(
        /^Notices for webhook\/bad became dead letters .* for the reason /,
      )
      servers.push(await sink(200, downPort))
      const quiet = async () => (await firing('YarakOutputBreakerOpen', 'webhook/down')) === undefined || undefined
      await until('the end of the alert', quiet, 60_000)
      await expect
        .poll(() => query('yarak_notices_queued{output="webhook/down"} == 0'), { timeout: 20_000 })
        .toHaveLength(1)
    })
  })
})
