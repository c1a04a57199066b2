/** Patterns: what is found, what is read once, what ends. */
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  aWhile,
  byHand,
  dir,
  fileRig,
  openState,
  positions,
  readOnce,
  start,
  stop,
  texts,
  warnings,
} from './_file-rig.ts'

fileRig()

const at = (name: string): string => join(dir, name)
const put = (name: string, text: string): void => {
  mkdirSync(dirname(at(name)), { recursive: true })
  writeFileSync(at(name), text)
}
const add = (name: string, text: string): void => appendFileSync(at(name), text)
const logs = (): string => at('*.log')

describe('a pattern', () => {
  it('reads what it finds, oldest first, and nothing else', async () => {
    for (const [i, name] of ['b.log', 'a.log', 'c.txt', '.d.log', 'sub/e.log'].entries()) {
      put(name, `${name}\n`)
      await new Promise((resolve) => setTimeout(resolve, 5 + i))
    }
    expect(await readOnce({ path: logs(), from: 'beginning' })).toEqual(['b.log', 'a.log'])
    expect(await readOnce({ path: at('**/*.{log,txt}'), from: 'beginning' })).toEqual([
      'b.log',
      'a.log',
      'c.txt',
      'sub/e.log',
    ])
    expect(await readOnce({ path: [logs(), at('*.txt'), at('a.log')], from: 'beginning' })).toHaveLength(3)
  })

  it('leaves out what is excluded, by path or by name', async () => {
    for (const name of ['a.log', 'b.log', 'sub/a.log']) put(name, `${name}\n`)
    expect(await readOnce({ path: at('**/*.log'), from: 'beginning', exclude: ['b.*'] })).toEqual([
      'a.log',
      'sub/a.log',
    ])
    expect(await readOnce({ path: at('**/*.log'), from: 'beginning', exclude: [at('sub/*')] })).toEqual([
      'a.log',
      'b.log',
    ])
  })

  it('reads a new file from its beginning, and one that was there at the very first start from its end', async () => {
    put('old.log', 'old\n')
    const { io } = start({ path: logs() })
    await expect.poll(() => io.lines.length).toBe(1)
    put('new.log', 'new\n')
    await expect.poll(() => texts(io)).toEqual(['new'])
    add('old.log', 'more\n')
    await expect.poll(() => texts(io)).toEqual(['new', 'more'])
  })

  it('reads whole what came while nobody looked', async () => {
    put('a.log', 'a\n')
    const first = start({ path: logs() })
    await expect.poll(() => first.io.lines.length).toBe(1)
    await stop(first)
    put('b.log', 'b\n')
    add('a.log', 'a2\n')
    const { io } = start({ path: logs() })
    await expect.poll(() => texts(io).sort()).toEqual(['a2', 'b'])
  })

  it('is another one than the last time: its files begin at their end', async () => {
    await stop(start({ path: at('*.txt') }))
    put('a.log', 'old\n')
    const { io } = start({ path: logs() })
    await expect.poll(() => io.lines.length).toBe(1)
    add('a.log', 'new\n')
    await expect.poll(() => texts(io)).toEqual(['new'])
  })

  it('that is the name of a file means that file', async () => {
    put('a{1,2}.log', 'odd\n')
    put('a1.log', 'plain\n')
    expect(await readOnce({ path: at('a{1,2}.log') })).toEqual(['odd'])
  })

  it('that finds nothing is waited for, and is an error with once', async () => {
    const { io } = start({ path: at('later/*.log') })
    await aWhile()
    put('later/a.log', 'a\n')
    await expect.poll(() => texts(io)).toEqual(['a'])
    const { done } = start({ path: [at('no*.log')], once: true })
    await expect(done).rejects.toMatchObject({ code: 'unavailable', permanent: true })
    await expect(done).rejects.toThrow(`no file fits ${at('no*.log')}`)
  })

  it('follows no more files than allowed, says so once, and takes the next when one has ended', async () => {
    for (const name of ['a.log', 'b.log', 'c.log']) put(name, `${name}\n`)
    const { io } = start({ path: logs(), from: 'beginning', maxFiles: 2 })
    await expect.poll(() => texts(io)).toHaveLength(2)
    await aWhile()
    expect(texts(io)).toHaveLength(2)
    expect(warnings(io)).toEqual([expect.stringContaining('more files are found than may be read') as string])
    unlinkSync(at(texts(io)[0]!))
    await expect.poll(() => texts(io).sort()).toEqual(['a.log', 'b.log', 'c.log'])
    expect(warnings(io)).toHaveLength(1)
  })

  it.skipIf(process.getuid?.() === 0)('says once that a folder may not be read', async () => {
    mkdirSync(at('closed'), { mode: 0 })
    const { io } = start({ path: at('closed/*.log') })
    await expect.poll(() => warnings(io)).toEqual(['a folder cannot be looked into'])
    await aWhile()
    expect(warnings(io)).toHaveLength(1)
  })
})

describe('a file with two names', () => {
  it('is read once: hard link, symbolic link, the same name twice', async () => {
    put('a.log', 'a\n')
    linkSync(at('a.log'), at('b.log'))
    symlinkSync(at('a.log'), at('c.log'))
    expect(await readOnce({ path: [logs(), at('c.log'), at('a.log')] })).toEqual(['a'])
  })

  it('is read once also when the second name comes later', async () => {
    put('b.log', 'a\n')
    const { io } = start({ path: logs(), from: 'beginning' })
    await expect.poll(() => texts(io)).toEqual(['a'])
    linkSync(at('b.log'), at('a.log'))
    symlinkSync(at('b.log'), at('c.log'))
    await aWhile()
    add('a.log', 'b\n')
    await expect.poll(() => texts(io)).toEqual(['a', 'b'])
    await aWhile()
    expect(texts(io)).toEqual(['a', 'b'])
  })

  it('is read once when it was renamed to a name that the pattern finds, now and after a restart', async () => {
    put('a.log', 'a\n')
    const first = start({ path: logs(), from: 'checkpoint', once: true })
    await first.done
    const second = start({ path: logs() })
    await expect.poll(() => second.io.lines.length).toBe(1)
    add('a.log', 'b\n')
    renameSync(at('a.log'), at('z.log'))
    put('a.log', 'c\n')
    await expect.poll(() => texts(second.io), { timeout: 5_000 }).toEqual(['b', 'c'])
    await aWhile()
    await stop(second)
    expect(texts(second.io)).toEqual(['b', 'c'])
    const third = start({ path: logs() })
    add('z.log', 'late\n')
    await expect.poll(() => texts(third.io)).toEqual(['late'])
  })

  it('that was renamed while nobody looked goes on once, under the old name', async () => {
    put('a.log', 'a\n')
    await readOnce({ path: logs() })
    add('a.log', 'b\n')
    renameSync(at('a.log'), at('z.log'))
    put('a.log', 'c\n')
    expect(await readOnce({ path: logs() })).toEqual(['b', 'c'])
    expect(await readOnce({ path: logs() })).toEqual([])
  })
})

describe('rotated files', () => {
  it('that the pattern finds too belong to the file that was rotated', async () => {
    put('a.log.2', 'oldest\n')
    put('a.log.1', 'older\n')
    put('a.log.3.gz', 'compressed')
    put('a.log', 'a\n')
    const { io } = start({ path: at('a.log*'), from: 'beginning' })
    await expect.poll(() => texts(io)).toEqual(['a'])
    add('a.log', 'b\n')
    renameSync(at('a.log'), at('a.log.1'))
    put('a.log', 'c\n')
    await expect.poll(() => texts(io), { timeout: 5_000 }).toEqual(['a', 'b', 'c'])
    await aWhile()
    expect(texts(io)).toEqual(['a', 'b', 'c'])
  })

  it('of a file that came and was rotated while nobody looked are read first', async () => {
    await stop(start({ path: logs() }))
    put('a.log.2', 'a\n')
    put('a.log.1', 'b\n')
    for (const [name, time] of [
      ['a.log.2', 1_000],
      ['a.log.1', 2_000],
    ] as const)
      utimesSync(at(name), time, time)
    put('a.log', 'c\n')
    const { io } = start({ path: logs() })
    await expect.poll(() => texts(io), { timeout: 5_000 }).toEqual(['a', 'b', 'c'])
  })

  it('are files of their own with once', async () => {
    put('a.log.1', 'older\n')
    utimesSync(at('a.log.1'), 1_000, 1_000)
    put('a.log', 'a\n')
    expect(await readOnce({ path: at('a.log*') })).toEqual(['older', 'a'])
  })
})

describe('a file that is gone', () => {
  it('ends after its rest was read, an unfinished line too, and is forgotten', async () => {
    put('a.log', 'a\n')
    const { io, done } = start({ path: logs(), from: 'beginning', pollInterval: '60ms' })
    await expect.poll(() => texts(io)).toEqual(['a'])
    add('a.log', 'b\nhalf')
    rmSync(at('a.log'))
    await expect.poll(() => texts(io), { timeout: 5_000 }).toEqual(['a', 'b', 'half'])
    io.stop()
    await done
    expect(await openState().get(at('a.log'))).toBeUndefined()
  })

  it('is remembered until what it held is settled', async () => {
    put('a.log', 'a\nb\n')
    const { emit, settle } = byHand()
    const first = start({ path: logs(), from: 'beginning', stopTimeout: '5s' }, emit)
    await expect.poll(() => texts(first.io)).toEqual(['a', 'b'])
    settle('a')
    renameSync(at('a.log'), at('a.txt'))
    await aWhile()
    await expect.poll(() => openState().get(at('a.log')), { timeout: 5_000 }).toMatchObject({ offset: 2 })
    settle('b')
    await expect.poll(() => openState().get(at('a.log')), { timeout: 5_000 }).toBeUndefined()
  })

  it('and comes again under its name is read from its beginning', async () => {
    put('a.log', 'a\n')
    const { io } = start({ path: logs(), from: 'beginning' })
    await expect.poll(() => texts(io)).toEqual(['a'])
    rmSync(at('a.log'))
    await aWhile()
    put('a.log', 'b\n')
    await expect.poll(() => texts(io), { timeout: 5_000 }).toEqual(['a', 'b'])
    expect(new Set(positions(io)).size).toBe(2)
  })
})

describe('the logs of a Kubernetes node', () => {
  const pod = (uid: string): string => `pods/falco_falco-x_${uid}/falco/0.log`
  const cri = (text: string): string => `2026-01-01T00:00:00.000000001Z stdout F ${text}\n`

  const link = (name: string, uid: string): void => {
    mkdirSync(at('containers'), { recursive: true })
    mkdirSync(at('docker'), { recursive: true })
    symlinkSync(at(pod(uid)), at(`containers/${name}`))
  }

  it('are followed through two links, over rotation by the kubelet, and end with the pod', async () => {
    put('docker/one-json.log', '')
    mkdirSync(dirname(at(pod('one'))), { recursive: true })
    symlinkSync(at('docker/one-json.log'), at(pod('one')))
    link('falco-x_falco_falco-1.log', 'one')
    const { io } = start({ path: at('containers/falco-*.log') })
    await expect.poll(() => io.lines.length).toBe(1)
    add('docker/one-json.log', cri('{"n":1}'))
    await expect.poll(() => texts(io)).toEqual(['{"n":1}'])

    put(pod('two'), cri('{"n":2}'))
    link('falco-x_falco_falco-2.log', 'two')
    link('other-x_default_web-3.log', 'two')
    await expect.poll(() => texts(io)).toEqual(['{"n":1}', '{"n":2}'])

    add(pod('two'), cri('{"n":3}'))
    renameSync(at(pod('two')), `${at(pod('two'))}.20260101-000000`)
    put(`${pod('two')}.20251231-000000.gz`, 'not to be read')
    put(pod('two'), cri('{"n":4}'))
    await expect.poll(() => texts(io).slice(2), { timeout: 5_000 }).toEqual(['{"n":3}', '{"n":4}'])

    add(pod('two'), cri('{"n":5}'))
    rmSync(at('containers/falco-x_falco_falco-2.log'))
    rmSync(at('pods/falco_falco-x_two'), { recursive: true })
    await expect.poll(() => texts(io).slice(4)).toEqual(['{"n":5}'])
    await expect
      .poll(() => openState().get(at('containers/falco-x_falco_falco-2.log')), { timeout: 5_000 })
      .toBeUndefined()
    expect(warnings(io)).toEqual([])
  })
})
