import { describe, expect, it } from 'vitest'
import { brief } from './_kit.ts'
import { load, native, problems, RULES } from './_talon.ts'

describe('the server', () => {
  it.each([
    ['log_format: json', '0.0.0.0:2803'],
    ['listen_address: ""', '[::]:2803'],
    ['listen_address: "::1"\nlisten_port: "99"', '[::1]:99'],
    ['listen_address: localhost', 'localhost:2803'],
  ])('listens: %s', (text, listen) => {
    expect(native(text)['listen']).toBe(listen)
    expect(problems(text)).toEqual([])
  })

  it('tells of a port or an address that is none', () => {
    expect(problems('listen_port: 99999')).toEqual(
      expect.arrayContaining(['1:14 listen_port: must be a port, from 1 to 65535']),
    )
    expect(problems('listen_address: "a b"')).toEqual([expect.stringMatching(/^1:17 listen:? must be host:port/)])
  })

  it('shows what would be done until it is told to do it', () => {
    expect(native('listen_port: 1')['mode']).toBe('observe')
    expect(brief(load('listen_port: 1').problems)).toEqual([
      expect.stringContaining('mode: enforce'),
      expect.stringContaining('trust: true'),
    ])
  })

  it('has the rules files, or those that are given in their place', () => {
    expect(native('listen_port: 1')['rules']).toEqual([RULES])
    expect(native('rules_files: []')).not.toHaveProperty('rules')
    expect(native('rules_files: [/a.yaml]', { rules: '' })).not.toHaveProperty('rules')
    expect(problems('rules_files: [/a.yaml]', { rules: '' })).toEqual([
      '1:14 warning rules_files: does nothing: the rules files that were named with the configuration stand in its place',
    ])
  })

  it.each([
    ['color', 'pretty'],
    ['text', 'pretty'],
    ['json', 'json'],
    ['odd', 'json'],
  ])('logs: %s', (format, own) => {
    expect(native(`log_format: ${format}`)['log']).toEqual({ format: own })
  })

  it('is silent of what is off', () => {
    const text =
      'print_all_events: false\nwatch_rules: true\ndeduplication: { leader_election: false }\n' +
      'otel: { traces_enabled: false, metrics_enabled: "false" }\nkubeconfig: ""\nlog_format: ""\n'
    expect(problems(text)).toEqual([])
    expect(Object.keys(native(text)).sort()).toEqual(['inputs', 'listen', 'metrics', 'mode', 'rules', 'version'])
  })

  it('names the variables of telemetry', () => {
    expect(problems('otel: { traces_enabled: true }')).toEqual([
      '1:25 warning otel.traces_enabled: does nothing: set the variables OTEL_EXPORTER_OTLP_ENDPOINT=https://localhost:4317, ' +
        'OTEL_EXPORTER_OTLP_PROTOCOL=grpc and OTEL_EXPORTER_OTLP_TIMEOUT=10000',
    ])
    expect(problems('otel: { collector_port: 1 }')).toEqual([
      '1:25 warning otel.collector_port: does nothing, as in Falco Talon',
    ])
  })
})
