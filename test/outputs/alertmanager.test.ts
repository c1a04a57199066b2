import { describe, expect, it } from 'vitest'
import { alertmanager } from '../../outputs/alertmanager.ts'
import { labelName } from '../../outputs/_alert.ts'
import type { Notice, Outcome } from '../../src/plugin.ts'
import { type Answers, aNotice, anEvent, aReport, outputCases, testIo } from '../../src/testing.ts'

const NEVER = new AbortController().signal
const HOST = 'http://alertmanager:9093'

type Config = Partial<Parameters<typeof alertmanager>[0]>

interface Alert {
  readonly labels: Record<string, string>
  readonly annotations: Record<string, string>
  readonly endsAt: string
}

const open = async (config: Config = {}, answer: Answers = {}) => {
  const io = testIo({ answer })
  const use = alertmanager({ hostPort: HOST, ...config })
  return { io, sender: await alertmanager.open(alertmanager.config.parse({ hostPort: HOST, ...config }), io), use }
}

const alertFor = async (notice: Notice, config: Config = {}): Promise<Alert> => {
  const { io, sender } = await open(config)
  await sender.send([notice], NEVER)
  const [alert] = JSON.parse(io.requests[0]?.body ?? '[]') as Alert[]
  return alert ?? expect.fail('no alert')
}

const labelsOf = async (members: Record<string, unknown>, config: Config = {}) =>
  (await alertFor(aNotice({ event: anEvent(members) }), config)).labels

describe('alertmanager', () => {
  for (const { name, run } of outputCases(alertmanager)) it(name, run)

  it('sends what Falcosidekick sends for the same event', async () => {
    const event = anEvent({
      output: 'This is a test',
      priority: 'Debug',
      rule: 'Test rule',
      time: '2001-01-01T01:10:00Z',
      source: 'syscalls',
      output_fields: { 'proc.name': 'falcosidekick', 'proc.tty': 1234 },
      tags: ['test', 'example'],
      hostname: 'test-host',
    })
    expect(await alertFor(aNotice({ event }))).toEqual({
      labels: {
        proc_name: 'falcosidekick',
        proc_tty: '1234',
        source: 'falco',
        rule: 'Test rule',
        alertname: 'Test rule',
        eventsource: 'syscalls',
        hostname: 'test-host',
        tags: 'test,example',
        priority: 'Debug',
        severity: 'information',
      },
      annotations: { info: 'This is a test', description: 'This is a test', summary: 'Test rule' },
      endsAt: '0001-01-01T00:00:00Z',
    })
  })

  it.each([
    ['proc.name', 'proc_name'],
    ['proc.aname[2]', 'proc_aname_2'],
    ['k8s.pod.label[app.kubernetes.io/name]', 'k8s_pod_label_app_kubernetes_io_name'],
    ['__a__b__', 'a_b'],
    ['2fast', '_2fast'],
    ['ä', ''],
  ])('names the label of %s %j', (field, label) => {
    expect(labelName(field)).toBe(label)
  })

  it('makes labels of texts and numbers, with every digit, and of nothing else', async () => {
    const output_fields = { 'evt.time': 1_769_860_800_123_456_789n, a: true, b: null, c: ['x'], ä: 'x', 'fd.num': 0 }
    const labels = await labelsOf({ output_fields })
    expect(labels).toMatchObject({ evt_time: '1769860800123456789', fd_num: '0' })
    expect(Object.keys(labels)).not.toEqual(expect.arrayContaining([expect.stringMatching(/^[abc]?$/)]))
  })

  it('lets no field stand in for what the alert is about', async () => {
    const labels = await labelsOf({ output_fields: { alertname: 'harmless', severity: 'none', source: 'x' } })
    expect(labels).toMatchObject({ alertname: 'Terminal shell in container', severity: 'information', source: 'falco' })
  })

  it('sends only what is UTF-8', async () => {
    expect((await labelsOf({ output_fields: { a: 'x\ud800' } })).a).toBe('x\ufffd')
  })

  it.each([
    ['Emergency', 'critical'],
    ['Alert', 'critical'],
    ['Critical', 'critical'],
    ['Error', 'warning'],
    ['Warning', 'warning'],
    ['Notice', 'information'],
    ['Informational', 'information'],
    ['Debug', 'information'],
  ])('gives %s the severity %s', async (priority, severity) => {
    expect(await labelsOf({ priority })).toMatchObject({ priority, severity })
  })

  it('takes severities, labels and annotations of your own', async () => {
    const config: Config = {
      customSeverityMap: { Notice: 'page' },
      extraLabels: { team: 'secops', source: 'cluster-1' },
      extraAnnotations: { runbook: 'https://example.com', info: 'mine' },
    }
    const { labels, annotations } = await alertFor(aNotice(), config)
    expect(labels).toMatchObject({ severity: 'page', team: 'secops', source: 'cluster-1' })
    expect(annotations).toMatchObject({ runbook: 'https://example.com', info: 'mine', summary: anEvent().rule })
  })

  it('ends the alert so long after the event', async () => {
    const event = anEvent({ time: '2026-01-31T14:00:00.5+0200' })
    expect((await alertFor(aNotice({ event }), { expiresAfter: '15m' })).endsAt).toBe('2026-01-31T12:15:00.500Z')
  })

  describe('with dropped events', () => {
    const drops = (count: unknown, config: Config = {}) =>
      labelsOf({ priority: 'Debug', output_fields: { n_drops: count, n_evts: 5, n_drops_bug: 0 } }, config)

    it.each([
      [815_508, '>10000', 'Critical'],
      ['815508', '>10000', 'Critical'],
      [10_000, '>1000', 'Critical'],
      [101, '>100', 'Critical'],
      [11n, '>10', 'Warning'],
      [2, '>1', 'Warning'],
      [0, '0', 'Warning'],
      [1, '1', 'Critical'],
    ])('puts %s into the bucket %s and makes it %s at least', async (count, bucket, priority) => {
      expect(await drops(count)).toMatchObject({ n_drops: bucket, n_drops_bug: '0', priority })
    })

    it('keeps a priority that is more severe, and leaves out counters of events', async () => {
      const labels = await labelsOf({ priority: 'Emergency', output_fields: { n_drops: 5, n_evts: 5 } })
      expect(labels).toMatchObject({ n_drops: '>1', priority: 'Emergency', severity: 'critical' })
      expect(labels).not.toHaveProperty('n_evts')
    })

    it('leaves out what is no number', async () => {
      const labels = await drops('many')
      expect(labels).not.toHaveProperty('n_drops')
      expect(labels.priority).toBe('Warning')
    })

    it('takes thresholds of your own, in any order', async () => {
      const config: Config = {
        dropEventThresholds: [
          { above: 5, priority: 'Notice' },
          { above: 50, priority: 'Alert' },
        ],
        dropEventDefaultPriority: 'Informational',
      }
      expect(await drops(51, config)).toMatchObject({ n_drops: '>50', priority: 'Alert' })
      expect(await drops(5, config)).toMatchObject({ n_drops: '5', priority: 'Warning' })
    })
  })

  it('makes an alert of a report: what groups is a label, what differs an annotation', async () => {
    expect(await alertFor(aNotice({ report: aReport() }))).toEqual({
      labels: {
        source: 'yarak',
        rule: 'Shell in a container',
        alertname: 'Shell in a container',
        outcome: 'succeeded',
        mode: 'enforce',
        event_rule: 'Terminal shell in container',
        eventsource: 'syscall',
        hostname: 'node-1',
        target: 'pod/default/web-1',
        priority: 'Notice',
        severity: 'information',
      },
      annotations: {
        info: anEvent().output,
        description: 'kubernetes:label: succeeded, labelled default/web-1\nkubernetes:terminate: succeeded',
        summary: 'Shell in a container: succeeded',
        response: '7d0f4a2c9b1e',
        trace: '4bf92f3577b34da6a3ce929d0e0e4736',
      },
      endsAt: '0001-01-01T00:00:00Z',
    })
  })

  it.each<[Outcome, string]>([
    ['gone', 'information'],
    ['skipped', 'information'],
    ['refused', 'warning'],
    ['failed', 'critical'],
    ['timed_out', 'critical'],
    ['unknown', 'critical'],
    ['interrupted', 'critical'],
  ])('gives a response that %s the severity %s', async (outcome, severity) => {
    expect((await alertFor(aNotice({ report: aReport({ outcome }) }))).labels.severity).toBe(severity)
  })

  describe('with several hosts', () => {
    const hostPort = ['http://am-0:9093', 'http://am-1:9093/prefix/']
    const answering =
      (first: number, second: number): Answers =>
      ({ url }) => ({
        status: url.includes('am-0') ? first : second,
      })

    it('sends to each', async () => {
      const { io, sender } = await open({ hostPort, headers: { authorization: 'Basic eA==' } })
      await sender.send([aNotice()], NEVER)
      expect(io.requests.map(({ url }) => url).sort()).toEqual([
        'http://am-0:9093/api/v2/alerts',
        'http://am-1:9093/prefix/api/v2/alerts',
      ])
      expect(io.requests.map(({ headers }) => headers.authorization)).toEqual(['Basic eA==', 'Basic eA=='])
      expect(io.spans.map(({ name }) => name)).toEqual(['POST /api/v2/alerts', 'POST /api/v2/alerts'])
    })

    it('has delivered when one took it, and logs that others did not', async () => {
      const { io, sender } = await open({ hostPort }, answering(500, 200))
      await sender.send([aNotice()], NEVER)
      expect(io.lines).toEqual([
        {
          level: 'warn',
          message: 'hosts did not take the alert',
          fields: { failed: 1, hosts: 2, error: expect.stringContaining('500') as string },
        },
      ])
    })

    it.each([
      [400, 503, false],
      [503, 400, false],
      [400, 404, true],
    ])('gives up only when every host refuses for good: %i and %i', async (first, second, permanent) => {
      const { sender } = await open({ hostPort }, answering(first, second))
      await expect(sender.send([aNotice()], NEVER)).rejects.toMatchObject({ permanent })
    })
  })

  it.each([
    [{ hostPort: [] }, /hostPort/],
    [{ hostPort: 'alertmanager:9093' }, /http or https/],
    [{ hostPort: 'http://user:pw@alertmanager:9093' }, /credentials go into headers/],
    [{ hostPort: HOST, endpoint: 'api' }, /endpoint/],
    [{ hostPort: HOST, customSeverityMap: { severe: 'page' } }, /customSeverityMap\.severe/],
    [{ hostPort: HOST, expiresAfter: 600 }, /expiresAfter.*must be a duration/],
    [{ hostPort: HOST, dropEventThresholds: [{ above: 1, priority: 'critical' }] }, /priority must be one of/],
    [{ hostPort: HOST, dropEventThresholds: [{ over: 1 }] }, /dropEventThresholds\[0\]\.over is not a known setting/],
    [{ hostport: HOST }, /hostport is not a known setting/],
  ])('refuses %j', (config, message) => {
    expect(() => alertmanager(config as never)).toThrow(message)
  })
})
