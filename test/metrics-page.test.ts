import { describe, expect, it } from 'vitest'
import { createCompatMetrics, compatMetricsSettings } from '../src/compat-metrics.ts'
import { createCounters } from '../src/counters.ts'
import { parseEvent } from '../src/event.ts'
import { formatOf } from '../src/metrics-page.ts'
import { createGateway } from '../src/index.ts'
import { parseExposition, valueOf } from './exposition.ts'
import { alert } from './kit.ts'

/** As Prometheus 2.45 and 3.0 send it. */
const PROMETHEUS_2 =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
const PROMETHEUS_3 =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'

describe('the form of an answer', () => {
  it.each([
    [undefined, 'text'],
    ['', 'text'],
    ['*/*', 'text'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'text'],
    ['text/plain;version=0.0.4', 'text'],
    [PROMETHEUS_2, 'openmetrics'],
    [PROMETHEUS_3, 'openmetrics'],
    ['application/openmetrics-text', 'openmetrics'],
    ['Application/OpenMetrics-Text; Version="1.0.0"; Q=0.5', 'openmetrics'],
    ['application/openmetrics-text;q=0.5, text/plain;q=0.5', 'openmetrics'],
    ['application/openmetrics-text;q=0.4, text/plain;q=0.5', 'text'],
    ['application/openmetrics-text;q=0.4, text/*;q=0.5', 'text'],
    ['application/openmetrics-text;q=0.4, */*', 'text'],
    ['application/openmetrics-text;q=0.4, text/plain;q=0.1, */*', 'openmetrics'],
    ['application/openmetrics-text;q=0, */*', 'text'],
    ['application/openmetrics-text;q=nonsense, */*', 'text'],
    ['application/openmetrics-text;version=0.0.1', 'text'],
    [',;,=;q', 'text'],
  ])('asked for with %j is %s', (accept, format) => {
    expect(formatOf(accept)).toBe(format)
  })
})

describe('the counters of the peers', () => {
  it('come after ours, valid in both forms', () => {
    const counters = createCounters()
    counters.add('yarak_events_received_total', { input: 'http' })
    const compat = createCompatMetrics(compatMetricsSettings.parse({}))
    const event = parseEvent(alert({ rule: '# HELP x_total "\\\n' }), { id: 'e', input: 'http' })
    compat.accepted(event)
    compat.matched('# TYPE y_total counter', event)
    const [text, open] = [
      parseExposition(counters.text('text', compat.text())),
      parseExposition(counters.text('openmetrics', compat.text()), true),
    ]
    expect([...text.keys()].map((name) => name.replace(/_total$/, ''))).toEqual([...open.keys()])
    expect([...open.keys()].slice(0, 2)).toEqual(['yarak_events_received', 'falcosecurity_falcosidekick_inputs'])
    for (const families of [text, open])
      expect(
        valueOf(families, 'falcosecurity_falco_talon_matches_total', {
          rule: '# TYPE y_total counter',
          event: event.rule,
          priority: event.priority,
          source: event.source,
        }),
      ).toBe(1)
  })
})

describe('/metrics', () => {
  it.each([
    [undefined, 'text/plain; version=0.0.4; charset=utf-8', false],
    [PROMETHEUS_3, 'application/openmetrics-text; version=1.0.0; charset=utf-8', true],
  ])('asked for with %j answers in %s', async (accept, type, open) => {
    const gateway = createGateway({ metrics: { compat: true } })
    await (
      await gateway.emit(alert())
    ).done
    const answer = await gateway.ops.request('/metrics', { headers: accept === undefined ? {} : { accept } })
    expect(answer.headers.get('content-type')).toBe(type)
    expect(answer.headers.get('vary')).toBe('accept')
    const families = parseExposition(await answer.text(), open)
    expect(valueOf(families, 'yarak_events_received_total', { input: 'host' })).toBe(1)
    expect([...families.keys()].filter((name) => name.startsWith('falcosecurity_'))).not.toEqual([])
    await gateway.stop()
  })
})
