/** Plugins and files for tests of the configuration. */
import {
  type ConfigProblem,
  type Files,
  loadConfig,
  type LoadedConfig,
  type Plugins,
  printProblems,
} from '../../src/config/index.ts'
import {
  defineAction,
  defineInput,
  defineOutput,
  defineResource,
  duration,
  secret,
  YarakError,
  z,
} from '../../src/plugin.ts'

import { fakeClaims } from '../fake-claims.ts'

const sender = { send: async () => {} }

export const http = defineInput({
  type: 'http',
  summary: 'Takes events by HTTP.',
  replayable: false,
  config: z.strictObject({
    path: z.string().default('/').describe('The path.'),
    token: secret().optional().describe('The bearer token.'),
    maxBody: z.int().min(1).default(1_048_576).describe('Bytes of a body.'),
  }),
})

export const file = defineInput({
  type: 'file',
  summary: 'Tails a file.',
  replayable: true,
  config: z.strictObject({
    path: z.string().min(1).describe('The file.'),
    fromStart: z.boolean().default(false).describe('Read what is there already.'),
  }),
  run: () => Promise.resolve(),
})

export const slack = defineOutput({
  type: 'slack',
  summary: 'A Slack channel.',
  config: z.strictObject({
    webhookUrl: z.url().meta({ secret: true }).describe('The incoming webhook.'),
    channel: z.string().optional().describe('Another channel.'),
    color: z.enum(['auto', 'none']).default('auto').describe('The bar at the side.'),
    headers: z.record(z.string(), secret()).default({}).describe('Further headers.'),
    proxy: z
      .strictObject({ url: z.string().describe('Its address.') })
      .optional()
      .describe('A proxy.'),
  }),
  example: { config: { webhookUrl: 'https://hooks.slack.com/services/x' } },
  open: () => sender,
})

export const stdout = defineOutput({
  type: 'stdout',
  summary: 'Prints.',
  notes: 'Pretty on a terminal.',
  config: z.strictObject({ format: z.enum(['auto', 'json']).default('auto').describe('How.') }),
  open: () => sender,
})

export const log = defineAction({
  type: 'log',
  summary: 'Writes a line.',
  changes: 'nothing',
  config: z.strictObject({ message: z.string().describe('The line.') }),
  example: { message: '{{ rule }}' },
  run: async () => ({ summary: 'logged' }),
})

export const label = defineAction({
  type: 'kubernetes:label',
  summary: 'Sets labels.',
  changes: 'reversible',
  permissions: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'patch'] }],
  config: z.strictObject({
    labels: z.record(z.string(), z.string()).describe('Labels to set.'),
    ttl: duration().optional().describe('How long they stay.'),
    count: z.int().default(1).describe('How many.'),
    token: secret().optional().describe('A secret.'),
  }),
  run: async () => ({ summary: 'labelled' }),
})

export const cluster = defineResource({
  type: 'kubernetes',
  summary: 'A cluster.',
  config: z.strictObject({ context: z.string().optional().describe('The context.') }),
  open: async () => ({}),
  agreement: () => ({ claims: fakeClaims(), lead: (_name, signal, work) => work(signal) }),
})

export const plugins: Plugins = {
  inputs: [http, file],
  outputs: [slack, stdout],
  actions: [log, label],
  resources: [cluster],
  contexts: [],
}

/** Files in memory; a glob is `folder/*.yaml`. */
export const memory = (files: Readonly<Record<string, string>>): Files => ({
  read: (path) => {
    const text = files[path]
    if (text === undefined) throw new YarakError('config', 'there is no such file')
    return text
  },
  list: (pattern) =>
    Object.keys(files)
      .filter((path) => path.startsWith(pattern.split('*')[0] ?? '') && path.endsWith('.yaml'))
      .sort(),
})

export interface Setup {
  readonly files?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
}

/** Loads a text as `yarak.yaml`. */
export const load = (text: string, { files = {}, env = {} }: Setup = {}): LoadedConfig =>
  loadConfig({ file: 'yarak.yaml', text, env, plugins, files: memory(files) })

/** Loads rules that stand in `rules.yaml`, beside an HTTP input and the output `stdout`. */
export const loadRulesText = (rules: string, setup: Setup = {}): LoadedConfig =>
  load('version: 1\ninputs: { http: }\noutputs: { stdout: }\nrules: [rules.yaml]\n', {
    ...setup,
    files: { ...setup.files, 'rules.yaml': rules },
  })

/** Problems as `line:column severity message`, without the excerpt. */
export const brief = (problems: readonly ConfigProblem[]): string[] =>
  problems.map(
    ({ line, column, severity, message }) => `${line}:${column} ${severity === 'error' ? '' : 'warning '}${message}`,
  )

export const print = (loaded: LoadedConfig): string => printProblems(loaded.problems)
