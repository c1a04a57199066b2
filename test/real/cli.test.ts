import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { converse } from './launch.ts'
import { until } from './part.ts'
import { redis } from './redis.ts'
import { describePart } from './vitest.ts'

const empty = mkdtempSync(join(tmpdir(), 'yarak-empty-'))
afterAll(() => rmSync(empty, { recursive: true }))

/** The command as npm runs it, and what it prints. */
const real = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'cli.ts'), ...args], {
    env: { ...process.env, ...env },
  })
  const heard = { out: '', err: '' }
  child.stdout.on('data', (bytes: Buffer) => (heard.out += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (heard.err += bytes.toString()))
  const code = new Promise<number | null>((done) => child.once('close', done))
  return { child, heard, code }
}

const finished = async (args: readonly string[], env?: NodeJS.ProcessEnv) => {
  const { heard, code } = real(args, env)
  return { code: await code, ...heard }
}

describe('npm run real', () => {
  test('--help teaches', async () => {
    const { code, out } = await finished(['--help'])
    expect(code).toBe(0)
    expect(out).toContain('npm run real -- kafka kubernetes jaeger')
    expect(out).toContain('YARAK_BENCH_TALON')
  })

  test.each([
    { args: [], says: 'Usage:' },
    { args: ['reddis'], says: 'there is no part called reddis; did you mean redis?' },
    { args: ['kafka@1'], says: 'not as 1' },
    { args: ['--lst'], says: '(Did you mean --list?)' },
  ])('$args is a mistake of usage', async ({ args, says }) => {
    const { code, err } = await finished(args)
    expect(err).toContain(says)
    expect(code).toBe(2)
  })

  test('--list shows what an empty cache lacks and what cannot be had, without colours', async () => {
    const env = { YARAK_CACHE: empty, YARAK_BENCH_TALON: '', PATH: '' }
    const { code, out } = await finished(['--list'], env)
    expect(code).toBe(0)
    expect(out).toMatch(/jaeger +│ \S+ +│ missing: no go on the PATH/)
    expect(out).toMatch(/redis +│ \S+ +│ missing: no apt-get on the PATH/)
    expect(out).toMatch(/talon +│ as installed +│ missing: YARAK_BENCH_TALON is not set/)
    expect(out).not.toContain('\u001b')
    const { out: json } = await finished(['--list', '--json'], env)
    expect(JSON.parse(json)).toContainEqual(
      expect.objectContaining({ name: 'jaeger', state: 'missing', reason: 'no go on the PATH', bytes: 0 }),
    )
  })

  test('a part that cannot be had is a failure with its reason, and nothing starts', async () => {
    const { code, out, err } = await finished(['jaeger'], { YARAK_CACHE: empty, PATH: '' })
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toContain('jaeger: no go on the PATH')
  })
})

describePart(redis, () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('starts, prints addresses and stops on %s', async (signal) => {
    const { child, heard, code } = real(['redis'])
    await until('redis', async () => heard.out.includes('Ctrl-C') || undefined)
    const [, port = ''] = /url +redis:\/\/127\.0\.0\.1:(\d+)/.exec(heard.out) ?? []
    expect((await converse(Number(port), 'PING\r\n', () => true)).toString()).toBe('+PONG\r\n')
    child.kill(signal)
    expect(await code).toBe(0)
    await expect(converse(Number(port), 'PING\r\n', () => true)).rejects.toThrow('ECONNREFUSED')
  })

  test('one part that fails stops the others', async () => {
    const { code, err } = await finished(['redis', 'falcosidekick'], { YARAK_BENCH_FALCOSIDEKICK: '/bin/false' })
    expect(code).toBe(1)
    const [, dir = ''] = /falcosidekick did not start: [^]*Its logs are in (\S+)/.exec(err) ?? []
    expect(existsSync(dir)).toBe(true)
    rmSync(dir, { recursive: true })
    expect(err).toContain('stopped after')
  })

  test('--ensure starts nothing', async () => {
    expect(await finished(['--ensure', 'redis'])).toEqual({ code: 0, out: '', err: '' })
  })
})
