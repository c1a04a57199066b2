import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { falcosidekick, talon } from './peers.ts'

/** A program that listens where its configuration says and answers with its arguments, configuration and rules. */
const program = `#!${process.execPath}
const { readFileSync } = require('node:fs')
const args = process.argv.slice(2)
const config = JSON.parse(readFileSync(args[args.indexOf('-c') + 1], 'utf8'))
const rules = config.rules_files?.map((file) => readFileSync(file, 'utf8'))
const server = require('node:http').createServer((_, response) =>
  response.end(JSON.stringify({ args, config, rules, kafka: process.env.KAFKA })),
)
server.listen(config.listenport ?? config.listen_port, config.listenaddress ?? config.listen_address)
`

let dir = ''

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'yarak-peers-'))
  writeFileSync(join(dir, 'peer'), program, { mode: 0o755 })
  writeFileSync(join(dir, 'text'), '')
  vi.stubEnv('KAFKA', 'would shadow every kafka setting')
})

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(dir, { recursive: true })
})

const answerOf = async (part: typeof falcosidekick | typeof talon, options: object): Promise<unknown> => {
  const { addresses, stop } = await part.start(options)
  try {
    return await (await fetch(addresses.url)).json()
  } finally {
    await stop()
  }
}

describe.each([
  [falcosidekick, 'YARAK_BENCH_FALCOSIDEKICK'],
  [talon, 'YARAK_BENCH_TALON'],
])('$name', (part, variable) => {
  test('says which variable names its program', () => {
    vi.stubEnv(variable, '')
    expect(part.missing()).toBe(`${variable} is not set to the path of an installed release`)
    vi.stubEnv(variable, join(dir, 'text'))
    expect(part.missing()).toBe(`${variable} names ${join(dir, 'text')}, which is not a program`)
    vi.stubEnv(variable, join(dir, 'peer'))
    expect(part.missing()).toBeUndefined()
  })
})

test('falcosidekick gets its sinks, and nothing from the environment', async () => {
  vi.stubEnv('YARAK_BENCH_FALCOSIDEKICK', join(dir, 'peer'))
  const config = { webhook: { address: 'http://127.0.0.1:1/' } }
  const answer = await answerOf(falcosidekick, { config })
  expect(answer).toMatchObject({ args: ['-c', expect.stringMatching(/config\.yaml$/)], config })
  expect(answer).not.toHaveProperty('kafka')
})

test('talon gets its rules, its cluster and its notifiers, and elects no leader', async () => {
  vi.stubEnv('YARAK_BENCH_TALON', join(dir, 'peer'))
  const notifiers = { webhook: { url: 'http://127.0.0.1:1/' } }
  expect(await answerOf(talon, { rules: '- rule: x\n', kubeconfig: '/cluster', notifiers })).toMatchObject({
    args: ['server', '-c', expect.stringMatching(/config\.yaml$/)],
    rules: ['- rule: x\n'],
    config: {
      kubeconfig: '/cluster',
      notifiers,
      default_notifiers: ['webhook'],
      deduplication: { leader_election: false },
    },
  })
})
