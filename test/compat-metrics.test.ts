import { describe, expect, it } from 'vitest'
import { compatMetricsSettings, createCompatMetrics } from '../src/compat-metrics.ts'
import { PRIORITIES } from '../src/event.ts'
import { anEvent, aReport } from '../src/testing.ts'

const compat = (settings: object = {}, onOverflow?: (metric: string) => void) =>
  createCompatMetrics({ ...compatMetricsSettings.parse(settings), ...(onOverflow && { onOverflow }) })

/** The samples of one family, without its prefix. */
const samples = (text: string, name: string): string[] =>
  text
    .split('\n')
    .flatMap((line) => (line.startsWith(`falcosecurity_${name}{`) ? [line.slice(`falcosecurity_${name}`.length)] : []))

describe('the names of Falcosidekick', () => {
  it('count what came, by the labels of its stats_prometheus.go', () => {
    const metrics = compat()
    metrics.accepted(anEvent())
    metrics.accepted(anEvent())
    metrics.rejected()
    expect(samples(metrics.text(), 'falcosidekick_inputs_total')).toEqual([
      '{source="requests",status="accepted"} 2',
      '{source="requests",status="rejected"} 1',
    ])
    expect(samples(metrics.text(), 'falcosidekick_falco_events_total')).toEqual([
      '{hostname="node-1",rule="Terminal shell in container",priority="3",priority_raw="notice",source="syscall",' +
        'k8s_ns_name="default",k8s_pod_name="web-1"} 2',
    ])
  })

  it('number the priorities as Falcosidekick does: Debug is 1, Emergency 8', () => {
    const metrics = compat()
    for (const priority of PRIORITIES) metrics.accepted(anEvent({ priority }))
    const found = [...metrics.text().matchAll(/priority="(\d)",priority_raw="(\w+)"/g)].map(([, number, name]) => [
      name,
      number,
    ])
    expect(Object.fromEntries(found)).toEqual({
      emergency: '8',
      alert: '7',
      critical: '6',
      error: '5',
      warning: '4',
      notice: '3',
      informational: '2',
      debug: '1',
    })
  })

  it('take a missing host for unknown, and fields that are no texts for empty', () => {
    const metrics = compat()
    metrics.accepted(anEvent({ hostname: null, output_fields: { 'k8s.ns.name': null, 'k8s.pod.name': 7 } }))
    expect(metrics.text()).toContain('hostname="unknown"')
    expect(metrics.text()).toContain('k8s_ns_name="",k8s_pod_name=""')
  })

  it('have extra labels, which replace none of the others', () => {
    const metrics = compat({ extraLabels: ['proc.cmdline', 'proc.pid', 'rule', 'nowhere'] })
    metrics.accepted(anEvent({ output_fields: { 'proc.cmdline': 'a "b"\n\\', 'proc.pid': 1, rule: 'mine' } }))
    const [sample] = samples(metrics.text(), 'falcosidekick_falco_events_total')
    expect(sample).toContain(
      String.raw`proc_cmdline="a \"b\"\n\\",proc_pid="",rule="Terminal shell in container",nowhere=""`,
    )
  })

  it.each([
    ['slack', 'slack'],
    ['aws.s3', 'awss3'],
    ['azure.eventhub', 'azureeventhub'],
    ['fission', 'Fission'],
    ['aws.securitylake', 'awssecuritylake.'],
  ])('%s is the destination %s', (type, destination) => {
    const metrics = compat()
    metrics.told(type, true)
    metrics.told(type, false)
    expect(samples(metrics.text(), 'falcosidekick_outputs_total')).toEqual([
      `{destination="${destination}",status="ok"} 1`,
      `{destination="${destination}",status="error"} 1`,
    ])
  })
})

describe('the names of Talon', () => {
  it('count events, matches, actions, notifications and kept files', () => {
    const metrics = compat()
    const event = anEvent()
    metrics.accepted(event)
    metrics.matched('Shell in a container', event)
    metrics.ended(aReport(), event)
    metrics.told('slack', true, aReport())
    metrics.told('k8sevents', false, aReport())
    metrics.stored({ rule: 'Shell in a container', step: 'capture', type: 'aws.s3', isKept: true })
    const text = metrics.text()
    const event1 = 'event="Terminal shell in container"'
    expect(samples(text, 'falco_talon_events_total')).toEqual([`{${event1},priority="Notice",source="syscall"} 1`])
    expect(samples(text, 'falco_talon_matches_total')).toEqual([
      `{rule="Shell in a container",${event1},priority="Notice",source="syscall"} 1`,
    ])
    expect(samples(text, 'falco_talon_actions_total')).toEqual([
      `{rule="Shell in a container",${event1},action="mark",actionner="kubernetes:label",status="success",namespace="default",pod="web-1"} 1`,
      `{rule="Shell in a container",${event1},action="stop",actionner="kubernetes:terminate",status="success"} 1`,
    ])
    expect(samples(text, 'falco_talon_notifications_total')).toEqual([
      '{rule="Shell in a container",notifier="slack",status="success"} 1',
      '{rule="Shell in a container",notifier="k8sevents",status="failure"} 1',
    ])
    expect(samples(text, 'falco_talon_outputs_total')).toEqual([
      '{rule="Shell in a container",action="capture",target="aws:s3",status="success"} 1',
    ])
  })

  it.each([
    ['succeeded', 'success'],
    ['gone', 'success'],
    ['skipped', 'ignored'],
    ['refused', 'ignored'],
    ['failed', 'failure'],
    ['timed_out', 'failure'],
  ] as const)('%s is the status %s', (outcome, status) => {
    const metrics = compat()
    const step = { id: 's', action: 'kubernetes:label', outcome, summary: '', attempts: 1, duration: 1 }
    metrics.ended(aReport({ steps: [step, { ...step, action: 'wait' }] }), anEvent())
    expect(samples(metrics.text(), 'falco_talon_actions_total')).toEqual([
      expect.stringContaining(`status="${status}"} 1`),
    ])
  })
})

describe('the exposition', () => {
  it('is empty at first, and then has each family once, with help and type', () => {
    const metrics = compat()
    expect(metrics.text()).toBe('')
    metrics.accepted(anEvent())
    metrics.accepted(anEvent({ rule: 'Another' }))
    const heads = metrics
      .text()
      .split('\n')
      .filter((line) => line.startsWith('# TYPE'))
    expect(heads).toEqual([
      '# TYPE falcosecurity_falcosidekick_inputs_total counter',
      '# TYPE falcosecurity_falcosidekick_falco_events_total counter',
      '# TYPE falcosecurity_falco_talon_events_total counter',
    ])
    expect(metrics.text()).toMatch(/^# HELP [^]*\n$/)
  })

  it('is bounded: what is over is other, told once for each counter, and nothing is lost', () => {
    const told: string[] = []
    const metrics = compat({ maxSeries: 3 }, (metric) => told.push(metric))
    for (let i = 0; i < 10; i++) metrics.accepted(anEvent({ rule: `rule ${i}`, hostname: `host ${i}` }))
    const events = samples(metrics.text(), 'falcosidekick_falco_events_total')
    expect(events).toHaveLength(4)
    expect(events[3]).toBe(
      '{hostname="other",rule="other",priority="3",priority_raw="notice",source="other",k8s_ns_name="other",k8s_pod_name="other"} 7',
    )
    metrics.accepted(anEvent({ rule: 'rule 0', hostname: 'host 0' }))
    expect(samples(metrics.text(), 'falcosidekick_falco_events_total')[0]).toMatch(/rule="rule 0".*\} 2$/)
    expect(told).toEqual(['falcosecurity_falcosidekick_falco_events_total', 'falcosecurity_falco_talon_events_total'])
  })

  it.each([
    [{ extraLabels: ['a-b'] }, /must be the name of a field/],
    [{ extraLabels: ['1a'] }, /must be the name of a field/],
    [{ maxSeries: 0 }, /Too small/],
    [{ labels: [] }, /Unrecognized key/],
  ])('refuses %j', (settings, message) => {
    expect(() => compatMetricsSettings.parse(settings)).toThrow(message)
  })
})
