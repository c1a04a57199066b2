import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { printConfig } from '../../src/config/index.ts'
import { inputOf } from '../../src/options.ts'
import { load, print } from './_kit.ts'

const TEXT = `version: 1
mode: \${env:MODE:-enforce}
cluster: http://user:not-to-be-shown@proxy/x
inputs:
  http: { maxBody: "\${env:SIZE}", token: not-to-be-shown }
outputs:
  slack/secops:
    webhookUrl: \${file:/secret}
    headers: { authorization: not-to-be-shown }
    minimumPriority: warning
  stdout:
rules:
  - rule: Inline
    match: { rules: [A] }
    steps:
      - action: kubernetes:label
        with: { labels: { a: "{{ rule }}" }, token: not-to-be-shown }
        retries: \${env:SIZE}
`

const loaded = () => {
  const result = load(TEXT, { env: { SIZE: '7' }, files: { '/secret': 'https://not-to-be-shown.example\n' } })
  expect(print(result)).toBe('')
  return result
}

describe('config print', () => {
  it('shows the file as it is written, with references and without secrets', () => {
    const text = printConfig(loaded())
    expect(parse(text)).toEqual({
      version: 1,
      mode: '${env:MODE:-enforce}',
      cluster: 'http://***@proxy/x',
      inputs: { http: { maxBody: '${env:SIZE}', token: '***' } },
      outputs: {
        'slack/secops': {
          webhookUrl: '${file:/secret}',
          headers: { authorization: '***' },
          minimumPriority: 'warning',
        },
        stdout: null,
      },
      rules: [
        {
          rule: 'Inline',
          match: { rules: ['A'] },
          steps: [
            { action: 'kubernetes:label', with: { labels: { a: '{{ rule }}' }, token: '***' }, retries: '${env:SIZE}' },
          ],
        },
      ],
    })
  })

  it('effective resolves, fills defaults, and says where each value comes from', () => {
    const lines = printConfig(loaded(), { effective: true }).split('\n')
    for (const line of [
      'version: 1 # yarak.yaml:1',
      'mode: enforce # default of env MODE',
      'listen: 127.0.0.1:2801 # default',
      '    maxBody: 7 # env SIZE',
      '    token: "***" # yarak.yaml:5',
      '    webhookUrl: "***" # file /secret',
      '    minimumPriority: warning # yarak.yaml:10',
      '    timeout: 10s # default',
      '    format: auto # default',
      '        retries: 7 # env SIZE',
    ]) {
      expect(lines).toContain(line)
    }
  })

  it('effective is YAML that loads to the same settings, secrets apart', () => {
    const text = printConfig(loaded(), { effective: true }).replaceAll('"***"', 'https://x.example')
    const again = load(text)
    expect(print(again)).toBe('')
    const shape = (result: typeof again) => ({
      ...result.options,
      rules: result.options?.rules.map(({ name, match }) => ({ name, match })),
      inputs: result.options?.inputs.map(inputOf).map(({ id, config }) => ({ ...(config as object), id, token: '' })),
      outputs: result.options?.outputs.map(({ output, ...delivery }) => ({
        id: output.id,
        minimumPriority: delivery.minimumPriority ?? '',
      })),
    })
    expect(shape(again)).toEqual({ ...shape(loaded()), cluster: 'http://***@proxy/x' })
  })

  it('adds defaults to rules, and none to lists, macros and changes of rules', () => {
    const text = `version: 1
rules:
  - { list: l, items: [a] }
  - { macro: m, condition: a.b in (l) }
  - { rule: A, condition: m, steps: [{ action: log, with: { message: x } }] }
  - { rule: A, mode: observe, override: { mode: replace } }
`
    const { config } = JSON.parse(printConfig(load(text), { effective: true, json: true })) as {
      config: { rules: object[] }
    }
    expect(config.rules).toMatchObject([{}, {}, { parallel: false, enabled: true }, {}])
    expect(config.rules.map((item) => Object.keys(item).length)).toEqual([2, 2, 5, 3])
  })

  it('shows empty maps on one line', () => {
    const text = printConfig(load('version: 1\noutputs: { slack: { webhookUrl: "https://a.example" } }\n'), {
      effective: true,
    })
    expect(text).toContain('    headers: {} # default\n')
  })

  it.each([false, true])('gives JSON (effective %s)', (effective) => {
    const { config, origins } = JSON.parse(printConfig(loaded(), { json: true, effective })) as Record<
      string,
      Record<string, unknown>
    >
    expect(config).toMatchObject({ version: 1, inputs: { http: { token: '***' } } })
    expect(origins?.['inputs.http.maxBody']).toBe(effective ? 'env SIZE' : undefined)
    expect(origins?.['outputs.stdout.queue']).toBe(effective ? 'default' : undefined)
  })

  it.each([{}, { effective: true }, { json: true }, { effective: true, json: true }])(
    'never shows a secret: %j',
    (options) => {
      expect(printConfig(loaded(), options)).not.toContain('not-to-be-shown')
    },
  )
})
