/** Every plugin that Yarak brings along keeps what its kind promises, and stands in the file that has its name. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { inputs } from '../inputs/index.ts'
import { outputs } from '../outputs/index.ts'
import { createKafkaOutput } from '../outputs/kafka.ts'
import { createStdout } from '../outputs/stdout.ts'
import { actions } from '../src/actions/index.ts'
import { contexts } from '../src/contexts/index.ts'
import type { Action, Context, Input, Output, Spec } from '../src/plugin.ts'
import {
  actionCases,
  type Case,
  contextCases,
  inputCases,
  type OutputCaseOptions,
  outputCases,
  testIo,
} from '../src/testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'yarak-conformance-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Trial {
  /** The same output on a stand-in of what it writes to. */
  readonly output?: Output
  readonly options: OutputCaseOptions
}

/** How to run the outputs that do not speak HTTP. */
const trials: Readonly<Record<string, Trial>> = {
  file: { options: { config: { path: join(folder, 'events.jsonl') } } },
  kafka: {
    output: createKafkaOutput(() => ({
      producer: () => ({ send: async () => {}, close: async () => {} }),
      consumer: () => expect.fail('an output consumes nothing'),
      topics: () => expect.fail('an output asks for no topics'),
      ends: () => expect.fail('an output asks for no offsets'),
    })),
    options: { config: { brokers: ['kafka:9092'], topic: 'falco-events' } },
  },
  'gcp.storage': {
    options: {
      io: (answer) =>
        testIo({
          ...(answer !== undefined && { answer }),
          resources: { google: { authorization: async () => 'Bearer x' } },
        }),
    },
  },
  stdout: { output: createStdout({ isTTY: () => false, write: async () => {} }), options: { config: {} } },
}

const run = (cases: readonly Case[]): void => {
  for (const { name, run } of cases) it(name, run)
}

const outputCasesOf = (output: Output): Case[] => {
  const { output: other = output, options } = trials[output.type] ?? { options: {} }
  return outputCases(other, options)
}

describe.each(outputs.map((one): [string, Output] => [one.type, one]))('output %s', (type, output) => {
  run(outputCasesOf(output))

  it('has an example', () => {
    expect(output.example).toBeDefined()
  })

  it('is sent something by these cases', () => {
    expect(type in trials || /^https?:/.test(output.example?.sends?.url ?? '')).toBe(true)
  })
})

describe.each(inputs.map((one): [string, Input] => [one.type, one as Input]))('input %s', (_type, input) => {
  run(inputCases(input))
})

describe.each(actions.map((one): [string, Action] => [one.type, one as unknown as Action]))(
  'action %s',
  (_type, action) => {
    run(actionCases(action))

    it('has an example', () => {
      expect(action.example).toBeDefined()
    })
  },
)

describe.each(contexts.map((one): [string, Context] => [one.type, one as Context]))('context %s', (_type, context) => {
  run(contextCases(context))
})

/** The plugin files of a folder: helpers start with `_`, and an index declares nothing. */
const filesOf = (root: string): string[] =>
  readdirSync(new URL(`../${root}/`, import.meta.url), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /^(?:[^/]+\/)*(?!_|index\.)[^/]+\.ts$/.test(path),
  )

const isDeclaration = (value: unknown): value is Spec =>
  typeof value === 'function' && 'type' in value && 'summary' in value && 'config' in value

const declaredIn = async (path: string): Promise<Spec[]> => {
  const module = (await import(new URL(`../${path}`, import.meta.url).href)) as Record<string, unknown>
  return Object.values(module).filter(isDeclaration)
}

/** `kubernetes:label` stands in `kubernetes/label.ts`, `http:request` in `http-request.ts`, `aws.s3` in `aws-s3.ts`. */
const fileNames = (type: string): string[] =>
  [type, type.replace(':', '/'), type.replace(/[:.]/, '-')].map((name) => `${name}.ts`)

describe.each<[string, readonly Spec[]]>([
  ['inputs', inputs],
  ['outputs', outputs],
  ['src/actions', actions],
  ['src/contexts', contexts],
])('%s', (root, listed) => {
  it('lists every plugin of the folder, each in the file of its name, one for each file', async () => {
    const found = await Promise.all(
      filesOf(root).map(async (path) => ({ path, specs: await declaredIn(`${root}/${path}`) })),
    )
    for (const { path, specs } of found) {
      expect(specs.length, path).toBeLessThanOrEqual(1)
      for (const { type } of specs) expect(fileNames(type)).toContain(path)
    }
    const types = found.flatMap(({ specs }) => specs.map(({ type }) => type))
    expect(listed.map(({ type }) => type).sort()).toEqual(types.sort())
  })

  it('has no two plugins of one type', () => {
    expect(new Set(listed.map(({ type }) => type)).size).toBe(listed.length)
  })
})
