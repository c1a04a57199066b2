import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const here = import.meta.dirname
const root = join(here, '../..')
let file = ''

const suite = `
import { expect, test } from 'vitest'
import { describePart } from '${here}/vitest.ts'

const part = {
  name: 'nothing',
  version: '1',
  missing: () => 'no such thing',
  cached: () => [],
  ensure: () => Promise.resolve(),
  start: () => Promise.reject(new Error('must not start')),
}

describePart(part, () => {
  test('never runs', () => expect.unreachable())
})

test('runs', () => undefined)
`

beforeAll(() => {
  file = join(mkdtempSync(join(here, 'skipped-')), 'skipped.test.ts')
  writeFileSync(file, suite)
})

afterAll(() => rmSync(join(file, '..'), { recursive: true }))

/** Runs Vitest on the suite and gives its exit code and what it printed. */
const vitest = async (env: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> => {
  const config = ['--config', join(here, 'vitest.config.ts'), '--reporter', 'default']
  const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...config, file]
  const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, NO_COLOR: '1', ...env } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (output += bytes.toString()))
  const code = await new Promise<number | null>((done) => child.once('close', done))
  return { code, output }
}

test('a suite whose part is missing is skipped and says so in one line', async () => {
  const { code, output } = await vitest({ CI: '' })
  expect(output.split('\n').filter((line) => line.includes('no such thing'))).toEqual([
    'skipped: nothing: no such thing',
  ])
  expect(output).toContain('1 passed | 1 skipped')
  expect(code).toBe(0)
})

test('with CI=true it fails', async () => {
  const { code, output } = await vitest({ CI: 'true' })
  expect(output).toContain('nothing: no such thing')
  expect(output).toContain('1 failed | 1 passed')
  expect(code).toBe(1)
})
