import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { alertmanager } from './alertmanager.ts'
import { freePort, until } from './part.ts'
import { prometheus } from './prometheus.ts'
import { run } from './tools.ts'
import { describeParts } from './vitest.ts'

const rules = `
groups:
  - name: falco
    rules:
      - alert: ManyEvents
        expr: falco_events_total > 40
        labels: { severity: critical }
`

interface Alerts {
  readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[]
}

/** An HTTP server that shows one metric, and keeps what Alertmanager posts. */
const target = async () => {
  const received: Alerts[] = []
  const port = await freePort()
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (bytes: Buffer) => (body += bytes.toString()))
    request.on('end', () => {
      if (request.method === 'POST') received.push(JSON.parse(body) as Alerts)
      response.end('# TYPE falco_events_total counter\nfalco_events_total{rule="x"} 42\n')
    })
  })
  await new Promise<void>((ready) => server.listen(port, '127.0.0.1', ready))
  return { address: `127.0.0.1:${port}`, received, close: () => server.close() }
}

describeParts([prometheus, alertmanager], () => {
  test('what is scraped raises an alert, which reaches the webhook', async () => {
    const { address, received, close } = await target()
    const alerts = await alertmanager.start({ webhook: `http://${address}/alerts` })
    const metrics = await prometheus.start({ targets: [address], rules, alertmanager: alerts.addresses.address })
    try {
      const { url, promtool } = metrics.addresses
      const query = () => run(promtool, ['query', 'instant', url, 'falco_events_total'])
      expect(await until('a scrape', async () => (await query()).trim() || undefined)).toMatch(/rule="x".* => 42 /)
      const [first] = await until('an alert', async () => (received.length ? received : undefined))
      expect(first?.alerts).toMatchObject([
        { status: 'firing', labels: { alertname: 'ManyEvents', severity: 'critical' } },
      ])
    } finally {
      await Promise.all([metrics.stop(), alerts.stop()])
      close()
    }
  })
})
