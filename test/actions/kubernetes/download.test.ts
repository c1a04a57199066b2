import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { download } from '../../../src/actions/kubernetes/download.ts'
import { aStep } from '../step.ts'
import { rejection } from './world.ts'
import { HOSTILE, run, withShell } from './shell.ts'

const bytesOf = (url = ''): Buffer => readFileSync(fileURLToPath(url))

describe('kubernetes:download', () => {
  it('saves a file byte by byte, with its checksum', async () => {
    const shell = await withShell()
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) % 256))
    const file = join(shell.cwd, 'payload.bin')
    await writeFile(file, bytes)
    const { summary, objects, artifacts = [] } = await run(download, shell, { file })
    expect(summary).toBe('saved 300000 bytes of container side of pod shop/web-1')
    expect(objects).toEqual({ pod: 'web-1', namespace: 'shop', container: 'side', file })
    expect(artifacts).toMatchObject([{ size: 300_000, sha256: createHash('sha256').update(bytes).digest('hex') }])
    expect(artifacts[0]?.name).toMatch(/payload\.bin$/)
    expect(bytesOf(artifacts[0]?.url).equals(bytes)).toBe(true)
    expect(shell.calls.map(({ command }) => command.slice(4))).toEqual([['cat', '--', file]])
  })

  it('saves an empty file, which is a finding too', async () => {
    const shell = await withShell()
    const file = join(shell.cwd, 'empty')
    await writeFile(file, '')
    expect((await run(download, shell, { file })).artifacts).toMatchObject([{ size: 0 }])
  })

  it('takes a folder as an archive', async () => {
    const shell = await withShell()
    await mkdir(join(shell.cwd, '-dir'))
    await writeFile(join(shell.cwd, '-dir', 'a'), 'evidence')
    const file = join(shell.cwd, '-dir')
    const { artifacts } = await run(download, shell, { file, archive: true })
    const listed = execFileSync('tar', ['-tf', '-'], { input: bytesOf(artifacts?.[0]?.url) }).toString()
    expect(listed.trim().split('\n')).toEqual([`${file.slice(1)}/`, `${file.slice(1)}/a`])
    expect(await rejection(run(download, shell, { file }))).toMatchObject({ reason: 'exit-1' })
  })

  it('takes a path of an event as a path, whatever is in it', async () => {
    const shell = await withShell()
    for (const hostile of HOSTILE.filter((one) => one.trim() && !one.includes('/'))) {
      const file = join(shell.cwd, hostile)
      await writeFile(file, hostile)
      const { artifacts } = await run(download, shell, { file })
      expect(bytesOf(artifacts?.[0]?.url).toString()).toBe(hostile)
      expect(artifacts?.[0]?.name).toMatch(/^[\w.-]+$/)
    }
    expect(existsSync(join(shell.cwd, 'owned'))).toBe(false)
  }, 20_000)

  it.each([
    ['no path from the root', 'etc/passwd', 'bad-path'],
    ['an option', '--version', 'bad-path'],
    ['NUL', '/etc/\0passwd', 'bad-argument'],
    ['1 MB', `/${'x'.repeat(1_000_000)}`, 'too-large'],
  ])('refuses a path that is or has %s', async (_what, file, reason) => {
    const shell = await withShell()
    expect(await rejection(run(download, shell, { file }))).toMatchObject({ code: 'refused', reason })
    expect(shell.calls).toEqual([])
  })

  it('keeps nothing of a file that is too large, not there, or cut off', async () => {
    const { step } = await aStep()
    const shell = await withShell()
    const file = join(shell.cwd, 'large')
    await writeFile(file, 'x'.repeat(2_000))
    const options = { dataDir: step.dataDir, save: step.save }
    const large = run(download, shell, { file, max_size: 1_999 }, options)
    expect(await rejection(large)).toMatchObject({ code: 'refused', reason: 'too-large' })
    const absent = await rejection(run(download, shell, { file: '/nowhere/at-all' }, options))
    expect(absent).toMatchObject({ reason: 'exit-1', message: expect.stringContaining('No such file') })
    const cut = await withShell({ play: async (_call, answer) => (await answer.stdout('half'), answer.drop()) })
    expect(await rejection(run(download, cut, { file }, options))).toMatchObject({
      code: 'unavailable',
      reason: 'dropped',
    })
    expect(readdirSync(join(step.dataDir, 'evidence'))).toEqual([])
    await run(download, shell, { file, max_size: 2_000 }, options)
    expect(readdirSync(join(step.dataDir, 'evidence'))).toHaveLength(2)
  })

  it('says that the container has no cat', async () => {
    const shell = await withShell({ programs: [] })
    expect(await rejection(run(download, shell, { file: '/x' }))).toMatchObject({ reason: 'not-executable' })
  })

  it('fills in the variables of Falco Talon, into one argument', async () => {
    const shell = await withShell()
    const file = join(shell.cwd, '$(touch owned) x')
    await writeFile(file, 'it')
    const options = { fields: { 'fd.name': file } }
    const { artifacts } = await run(download, shell, { file: '${FD_NAME}', event_variables: true }, options)
    expect(artifacts).toMatchObject([{ size: 2 }])
    const plain = await rejection(run(download, shell, { file: '/$FD_NAME' }, options))
    expect(plain).toMatchObject({ reason: 'exit-1' })
    expect(existsSync(join(shell.cwd, 'owned'))).toBe(false)
  })

  it('asks for a store, may be repeated, and is held back where nothing is to be changed', () => {
    expect({ ...download }).toMatchObject({
      saves: 'always',
      done: 'repeatable',
      changes: 'reversible',
      concurrency: 4,
    })
    expect(() => download({ file: '' })).toThrow('file')
    expect(() => download({ file: '/x', max_size: '{{ evt.num }}' })).toThrow('max_size must be fixed text')
  })
})
