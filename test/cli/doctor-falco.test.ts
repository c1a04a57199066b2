/** `yarak doctor --falco`: what it says of the falco.yaml that Falco ships, and of one in which all that may is wrong. */
import { describe, expect, it } from 'vitest'
import type { Finding } from '../../src/doctor/index.ts'
import { examined, saidOf } from './_doctor.ts'
import { folder, yarak } from './_kit.ts'

const files = folder()

/** The members of Falco 0.43's own file that decide what comes out, with their values. */
const SHIPPED = `
watch_config_files: true
engine:
  kind: modern_ebpf
  modern_ebpf: {cpus_for_each_buffer: 2, buf_size_preset: 4, drop_failed_exit: false}
time_format_iso_8601: false
priority: debug
json_output: false
json_include_output_property: true
json_include_output_fields_property: true
json_include_tags_property: true
buffered_outputs: false
rule_matching: first
outputs_queue: {capacity: 0}
append_output: [{suggested_output: true}]
file_output: {enabled: false, keep_alive: false, filename: ./events.txt}
http_output:
  enabled: false
  url: ""
  insecure: false
  mtls: false
  echo: false
  compress_uploads: false
  keep_alive: false
  max_consecutive_timeouts: 5
program_output: {enabled: false}
log_level: info
output_timeout: 2000
syscall_event_drops: {threshold: .1, actions: [log, alert], rate: .03333, max_burst: 1, simulate_drops: false}
base_syscalls: {custom_set: [], repair: false, all: false}
`

/** What has to be set for Yarak, by path. */
const MENDED = SHIPPED.replace('json_output: false', 'json_output: true')
  .replace('rule_matching: first', 'rule_matching: all')
  .replace('  enabled: false\n  url: ""', '  enabled: true\n  url: "http://127.0.0.1:2801/"')
  .replace('compress_uploads: false\n  keep_alive: false', 'compress_uploads: true\n  keep_alive: true')

const config = (): string =>
  files.write('yarak.yaml', {
    ...{ version: 1, dataDir: files.at('data'), listen: '127.0.0.1:2801', inputs: { http: {} } },
  })

const about = async (falco: string): Promise<Finding[]> =>
  (await examined(['--config', config(), '--falco', files.write('falco.yaml', falco)])).filter(
    ({ group }) => group === 'falco',
  )

const wrong = (findings: readonly Finding[]): string[] =>
  findings.filter(({ status }) => status !== 'ok').map(({ status, name }) => `${status} ${name}`)

describe('yarak doctor --falco', () => {
  it('says of what Falco ships only what has to be set, each with its place and its remedy', async () => {
    const findings = await about(SHIPPED)
    expect(wrong(findings)).toEqual(['fail json_output', 'warn rule_matching', 'warn http_output'])
    for (const { status, remedy, place } of findings)
      if (status !== 'ok') expect([remedy, place]).toEqual([expect.any(String), expect.stringMatching(/:\d+:\d+$/)])
  })

  it('has nothing to say once that is set', async () => {
    const findings = await about(MENDED)
    expect(wrong(findings)).toEqual([])
    expect(saidOf(findings, 'falco', 'falco.yaml')).toEqual([expect.stringMatching(/loses nothing that is known of$/)])
    expect(saidOf(findings, 'falco', 'http_output.url')).toEqual(['ok: it leads to http at 127.0.0.1:2801'])
  })

  it('exits with 1 for the first, and prints what to write', async () => {
    const falco = files.write('falco.yaml', SHIPPED)
    const { code, out } = await yarak(['doctor', '--config', config(), '--falco', falco])
    expect(code).toBe(1)
    expect(out).toMatch(/ fail {2}json_output: \S+falco\.yaml:8:14: alerts are text.*\n +remedy: json_output: true\n/)
  })

  it.each([
    ['priority: debug', 'priority: error', 'warn priority'],
    ['buffered_outputs: false', 'buffered_outputs: true', 'warn buffered_outputs'],
    ['json_include_tags_property: true', 'json_include_tags_property: false', 'warn json_include_tags_property'],
    ['output_timeout: 2000', 'output_timeout: 10', 'warn output_timeout'],
    ['actions: [log, alert]', 'actions: [ignore]', 'warn syscall_event_drops.actions'],
    ['threshold: .1', 'threshold: 1', 'warn syscall_event_drops.threshold'],
    ['drop_failed_exit: false', 'drop_failed_exit: true', 'warn engine.modern_ebpf.drop_failed_exit'],
    ['buf_size_preset: 4', 'buf_size_preset: 2', 'warn engine.modern_ebpf.buf_size_preset'],
    ['outputs_queue: {capacity: 0}', 'outputs: {rate: 1, max_burst: 10}', 'warn outputs.rate'],
    ['  keep_alive: true', '  keep_alive: false', 'warn http_output.keep_alive'],
    [':2801/"', ':2802/"', 'warn http_output.url'],
    ['"http://', '"https://', 'fail http_output.url'],
    [':2801/"', ':2801/elsewhere"', 'fail http_output.url'],
  ])('with %s as %s says so alone', async (right, changed, expected) => {
    expect(MENDED).toContain(right)
    expect(wrong(await about(MENDED.replace(right, changed)))).toEqual([expected])
  })
})
