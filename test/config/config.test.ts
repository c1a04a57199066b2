import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { addressText, loadConfig, parseAddress, systemFiles } from '../../src/config/index.ts'
import { type GatewayOptions, inputOf } from '../../src/options.ts'
import { brief, load, plugins, print } from './_kit.ts'

const START = 'version: 1\n'

const optionsOf = (text: string, setup?: Parameters<typeof load>[1]) => {
  const loaded = load(text, setup)
  expect(print(loaded)).toBe('')
  if (!loaded.options) throw new Error('no options')
  return loaded.options
}

describe('a configuration', () => {
  it('has defaults for all but its version', () => {
    expect(optionsOf(START)).toMatchObject({
      version: 1,
      mode: 'observe',
      listen: [{ host: '127.0.0.1', port: 2801 }],
      dataDir: './.yarak',
      inputs: [],
      outputs: [],
      rules: [],
      resources: [],
      guards: { protectedNamespaces: ['kube-system', 'kube-public', 'kube-node-lease'] },
      telemetry: { console: false },
      log: { level: 'info', format: 'auto' },
    })
  })

  it('is what createGateway takes, apart from the logger and the journal', () => {
    const { log, journal, ...options } = optionsOf(`${START}mode: enforce\ncluster: prod\n`)
    const taken: GatewayOptions = options
    expect(taken).toMatchObject({ mode: 'enforce', cluster: 'prod' })
    expect([log.level, journal.enabled]).toEqual(['info', true])
  })

  it.each(['version: 2\n', 'mode: observe\n', 'version: "1"\n'])('needs version 1: %j', (text) => {
    expect(brief(load(text).problems)[0]).toMatch(/version (is required|must be 1|2, this program knows 1)/)
  })

  it('takes the name of the cluster alone, or with the field that names it', () => {
    expect(optionsOf(`${START}cluster: { name: prod }\n`).cluster).toEqual({ name: 'prod', field: 'k8s.cluster.name' })
    expect(optionsOf(`${START}cluster: { name: prod, field: site }\n`).cluster).toEqual({ name: 'prod', field: 'site' })
    expect(brief(load(`${START}cluster: { field: site }\n`).problems)).toEqual(['2:1 cluster.name is required'])
    expect(brief(load(`${START}cluster: 7\n`).problems)).toEqual(['2:10 cluster: must be a name, or {name, field}'])
  })

  it('takes the settings that every input has beside its own', () => {
    const { inputs } = optionsOf(
      `${START}inputs:\n  http: { path: /in, cluster: eu }\n  http/all: { shared: true }\n  http/own:\n`,
    )
    expect(inputs).toMatchObject([
      { input: { id: 'http', config: { path: '/in' } }, cluster: 'eu', shared: false },
      { input: { id: 'http/all' }, shared: true },
      { id: 'http/own' },
    ])
    expect(inputs.map((input) => inputOf(input).config)).toMatchObject([{ path: '/in' }, { path: '/' }, { path: '/' }])
    expect(inputOf(inputs[0] as never).config).not.toHaveProperty('cluster')
    const { problems } = load(`${START}inputs:\n  http: { shared: maybe }\n  http/two: { clustr: eu }\n`)
    expect(brief(problems)).toEqual([
      '3:19 inputs.http.shared must be a boolean, not a string',
      '4:15 inputs.http/two.clustr is not a known setting; did you mean `cluster`?',
    ])
  })

  it('takes where replicas agree on who answers what, and who leads', () => {
    const { claims, inputs } = optionsOf(`${START}claims: kubernetes\ninputs:\n  file: { path: x, leader: true }\n`)
    expect(claims?.type).toBe('kubernetes')
    expect(inputs).toMatchObject([{ input: { id: 'file' }, leader: true }])
    expect(optionsOf(START).claims).toBeUndefined()
    expect(brief(load(`${START}claims: kubernets\n`).problems)).toEqual([
      '2:9 claims must be one of kubernetes; did you mean `kubernetes`?',
    ])
    expect(brief(load(`${START}inputs:\n  file: { path: x, leader: true }\n`).problems)).toEqual([
      '3:28 inputs.file.leader needs `claims`, where it is agreed on who leads',
    ])
    expect(brief(load(`${START}claims: kubernetes\ninputs:\n  http: { leader: true }\n`).problems)).toEqual([
      '4:19 inputs.http.leader is for inputs that read: what is sent here is taken by every replica',
    ])
  })

  it('takes the settings of the guard', () => {
    const { guards } = optionsOf(
      `${START}guards:\n  budgets: [{ scope: workload, limit: 1, window: 1h }]\n  breaker: { limit: 9 }\n  minHealthyReplicas: 50%\n`,
    )
    expect(guards).toMatchObject({
      budgets: [{ action: '*', scope: 'workload', limit: 1, window: 3_600_000 }],
      breaker: { limit: 9, window: 60_000, cooldown: 300_000 },
      minHealthyReplicas: '50%',
      replicas: 1,
    })
    expect(optionsOf(START).guards.budgets).toHaveLength(3)
  })

  it('checks the settings of inputs and fills their defaults', () => {
    const { inputs } = optionsOf(`${START}inputs:\n  http:\n  http/internal: { path: /in, maxBody: 5 }\n`)
    expect(inputs.map(inputOf).map(({ id, config }) => ({ id, config }))).toEqual([
      { id: 'http', config: { path: '/', maxBody: 1_048_576 } },
      { id: 'http/internal', config: { path: '/in', maxBody: 5 } },
    ])
  })

  it("parts the settings of an output's delivery from its own", () => {
    const text = `${START}outputs:\n  slack/secops: { webhookUrl: 'https://a.example/x', minimumPriority: warning, timeout: 3s }\n`
    const [output] = optionsOf(text).outputs
    expect(output).toMatchObject({ minimumPriority: 'warning', timeout: '3s' })
    expect(output?.output).toMatchObject({
      id: 'slack/secops',
      config: { webhookUrl: 'https://a.example/x', color: 'auto' },
    })
    expect(output?.output.config).not.toHaveProperty('timeout')
  })

  it('checks what an output is told of', () => {
    const { problems } = load(
      `${START}outputs:\n  stdout: { match: { priority: '>=loud' }, condition: 'proc.name =', minimumPriority: x }\n`,
    )
    expect(brief(problems).join('\n')).toMatch(/outputs\.stdout\.minimumPriority/)
    const held = load(`${START}outputs:\n  stdout: { match: { priority: '>=loud' }, condition: 'proc.name =' }\n`)
    expect(brief(held.problems).join('\n')).toMatch(
      /outputs\.stdout\.match\.priority: .*\n.*outputs\.stdout\.condition: /,
    )
  })

  it('suggests settings of the output and of its delivery', () => {
    const { problems } = load(`${START}outputs:\n  stdout: { formt: json, retryfor: 5m }\n`)
    expect(brief(problems)).toEqual([
      '3:13 outputs.stdout.formt is not a known setting; did you mean `format`?',
      '3:26 outputs.stdout.retryfor is not a known setting; did you mean `retryFor`?',
    ])
  })

  it('reads resources', () => {
    expect(optionsOf(`${START}resources: { kubernetes: { context: kind } }\n`).resources[0]).toMatchObject({
      id: 'kubernetes',
      config: { context: 'kind' },
    })
  })

  it.each([
    [
      'inputs: { http/Prod: }',
      '2:11 inputs: http/Prod is not a valid id; a label is of a-z, 0-9 and -, as in http/secops',
    ],
    ['inputs: { http/: }', '2:11 inputs: http/ is not a valid id; a label is of a-z, 0-9 and -, as in http/secops'],
    ['inputs: { htp: }', '2:11 inputs: htp is not a known input; did you mean `http`?'],
    ['outputs: { stdout: json }', '2:20 outputs.stdout must be a map, not a string'],
    ['inputs: []', '2:9 inputs must be a map, not a list'],
    [
      'guards: { protectedNamespace: [x] }',
      '2:11 guards.protectedNamespace is not a known setting; did you mean `protectedNamespaces`?',
    ],
  ])('refuses %s', (line, message) => {
    expect(brief(load(`${START}${line}\n`).problems)).toEqual([message])
  })

  it('takes empty sections', () => {
    expect(optionsOf(`${START}inputs:\noutputs:\nrules:\nresources:\n`)).toMatchObject({
      inputs: [],
      outputs: [],
      rules: [],
    })
  })
})

describe('listen', () => {
  it.each([
    ['127.0.0.1:2801', { host: '127.0.0.1', port: 2801 }],
    ['[::]:2801', { host: '::', port: 2801 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['unix:/run/yarak.sock', { path: '/run/yarak.sock' }],
  ])('%s', (text, address) => {
    expect(parseAddress(text)).toEqual(address)
    expect(addressText(address)).toBe(text)
    expect(optionsOf(`${START}listen: '${text}'\n`).listen).toEqual([address])
  })

  it.each(['2801', ':2801', '127.0.0.1', '::1:2801', 'a:65536', 'unix:', 'a b:1'])('refuses %s', (text) => {
    expect(parseAddress(text)).toBeUndefined()
    expect(brief(load(`${START}listen: ['[::]:1', '${text}']\n`).problems)).toEqual([
      '2:20 listen[1]: must be host:port such as 127.0.0.1:2801 or [::]:2801, or unix:/path',
    ])
  })

  it('takes several', () => {
    expect(optionsOf(`${START}listen: ['[::]:1', 'unix:/x']\n`).listen).toEqual([
      { host: '::', port: 1 },
      { path: '/x' },
    ])
  })
})

describe('references', () => {
  it('become numbers and truth values where the schema wants these, and stay text elsewhere', () => {
    const text = `${START}inputs:\n  http: { maxBody: '\${env:SIZE}', path: '\${env:SIZE}' }\n  file: { path: x, fromStart: '\${env:ON}' }\n`
    const { inputs } = optionsOf(text, { env: { SIZE: '42', ON: 'true' } })
    expect(inputs.map((input) => inputOf(input).config)).toEqual([
      { path: '42', maxBody: 42 },
      { path: 'x', fromStart: true },
    ])
  })

  it('do not, where they are only a part of the text or no number', () => {
    const text = `${START}inputs:\n  http: { maxBody: '\${env:SIZE}0' }\n`
    expect(brief(load(text, { env: { SIZE: '4' } }).problems)).toEqual([
      '3:20 inputs.http.maxBody must be a number, not a string',
    ])
    const word = `${START}inputs:\n  http: { maxBody: '\${env:SIZE}' }\n`
    expect(brief(load(word, { env: { SIZE: 'many' } }).problems)).toEqual([
      '3:20 inputs.http.maxBody must be a number, not a string',
    ])
  })

  it('that are missing are told once', () => {
    expect(brief(load(`${START}mode: \${env:NONE}\n`).problems)).toEqual([
      '2:7 the environment variable NONE is not set; a default is ${env:NONE:-...}',
    ])
  })

  it('to files start from the folder of the configuration', () => {
    const files = { read: (path: string) => `read ${path}`, list: () => [] }
    const { options } = loadConfig({
      file: 'etc/yarak.yaml',
      text: `${START}cluster: \${file:name}\n`,
      env: {},
      plugins,
      files,
    })
    expect(options?.cluster).toBe('read etc/name')
  })
})

describe('files of the machine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'yarak-config-'))
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }

  it('are read with globs relative to the configuration, in order', () => {
    mkdirSync(join(folder, 'rules'), { recursive: true })
    write('rules/b.yaml', '- rule: B\n  steps: [{ action: log, with: { message: b } }]\n')
    write('rules/a.yaml', '- rule: A\n  steps: [{ action: log, with: { message: a } }]\n')
    const file = write('yarak.yaml', `${START}rules: [rules/*.yaml]\n`)
    const { options, problems } = loadConfig({ file, env: {}, plugins })
    expect(problems).toEqual([])
    expect(options?.rules.map(({ name }) => name)).toEqual(['A', 'B'])
    expect(options?.rules[0]?.origin).toBe(`${join(folder, 'rules/a.yaml')}:1`)
  })

  it('that cannot be read are one clear problem', () => {
    const { options, problems } = loadConfig({ file: join(folder, 'none.yaml'), env: {}, plugins })
    expect(options).toBeUndefined()
    expect(problems).toMatchObject([{ line: 1, message: 'cannot read it: there is no such file' }])
    expect(() => systemFiles().read(folder)).toThrow('it is a folder')
  })

  it('that are too large are not read', () => {
    const file = write('large.yaml', 'x'.repeat(9_000_000))
    expect(loadConfig({ file, env: {}, plugins }).problems[0]?.message).toMatch(/larger than 8388608 bytes/)
    rmSync(folder, { recursive: true })
  })
})
