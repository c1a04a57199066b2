import { appendFileSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { file } from '../../inputs/file.ts'
import { YarakError, type InputIo } from '../../src/plugin.ts'
import { inputCases } from '../../src/testing.ts'
import {
  byHand,
  dir,
  fileRig,
  openState,
  path,
  positions,
  start,
  stop,
  texts,
  warnings,
  errors,
  type Settings,
} from './_file-rig.ts'

fileRig()

const settled = { id: 'event', done: Promise.resolve([]) }

describe('the input file', () => {
  for (const { name, run } of inputCases(file, { config: { path: '/nowhere/events.log' } })) it(name, run)

  it('is a replayable source', () => expect(file.replayable).toBe(true))

  it('refuses settings that make no sense', () => {
    expect(() => file({} as Settings)).toThrow('path is required')
    expect(() => file({ path: [] })).toThrow('path')
    expect(() => file({ path: 'a', from: 'middle' as 'end' })).toThrow('from must be one of')
    expect(() => file({ path: 'a', pollInterval: '5' })).toThrow('must be a duration')
  })

  it('hands over each line as it came, with its position and span', async () => {
    writeFileSync(path, '{"a":"é"}\r\n\n  \n{"b":1}\n')
    const { io } = start({ from: 'beginning' })
    await expect.poll(() => texts(io)).toEqual(['{"a":"é"}', '{"b":1}'])
    expect(io.emitted[1]?.options).toMatchObject({
      authenticated: 'file',
      position: expect.stringMatching(/^\w+:\d+:\d+:[0-9a-f]{12}:16$/) as string,
      span: {
        name: 'tail file/test',
        kind: 'internal',
        attributes: { 'log.file.path': path, 'yarak.file.offset': 16 },
      },
    })
    appendFileSync(path, 'later\n')
    await expect.poll(() => texts(io)).toEqual(['{"a":"é"}', '{"b":1}', 'later'])
  })

  it('begins at the end at the very first start, so that old alerts are not answered', async () => {
    writeFileSync(path, 'old\n')
    const { io } = start()
    await expect.poll(() => io.lines).toMatchObject([{ message: 'reading a file', fields: { path } }])
    appendFileSync(path, 'new\n')
    await expect.poll(() => texts(io)).toEqual(['new'])
  })

  it('follows several files, each on its own', async () => {
    const other = join(dir, 'other.log')
    writeFileSync(other, 'b\n')
    const { io } = start({ path: [path, other, other], from: 'beginning' })
    await expect.poll(() => texts(io)).toEqual(['b'])
    writeFileSync(path, 'a\n')
    await expect.poll(() => texts(io)).toEqual(['b', 'a'])
  })

  it('reads through a rotation', async () => {
    writeFileSync(path, 'a\n')
    const { io } = start({ from: 'beginning' })
    await expect.poll(() => texts(io)).toEqual(['a'])
    appendFileSync(path, 'b\n')
    renameSync(path, `${path}.1`)
    writeFileSync(path, 'c\n')
    await expect.poll(() => texts(io), { timeout: 5_000 }).toEqual(['a', 'b', 'c'])
  })
})

describe('lines that cannot be taken', () => {
  const refusing: InputIo['emit'] = async (raw) => {
    if (String(raw).startsWith('bad')) throw new YarakError('invalid', 'the event is not valid JSON')
    return settled
  }

  it('are logged with file and offset, and the checkpoint goes over them', async () => {
    writeFileSync(path, 'good\nbad\n')
    const one = start({ from: 'beginning', once: true }, refusing)
    await one.done
    expect(texts(one.io)).toEqual(['good'])
    expect(one.io.counted).toEqual([])
    expect(one.io.lines.filter(({ level }) => level === 'warn')).toEqual([
      {
        level: 'warn',
        message: 'a line was refused',
        fields: { at: `${path}:5`, code: 'invalid', error: 'the event is not valid JSON', refused: 1 },
      },
    ])
    expect(await openState().get(path)).toMatchObject({ offset: 9 })
  })

  it('do not flood the log', async () => {
    writeFileSync(path, 'bad\n'.repeat(2_500))
    const { io, done } = start({ from: 'beginning', once: true }, refusing)
    await done
    const warnings = io.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields.refused)
    expect(warnings).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1_000, 2_000])
  })

  it('are skipped and counted when over the limit', async () => {
    writeFileSync(path, `a\n${'x'.repeat(2_000)}\nb\n`)
    const { io, done } = start({ from: 'beginning', once: true, maxLine: '1KiB' })
    await done
    expect(texts(io)).toEqual(['a', 'b'])
    expect(io.counted).toEqual(['rejected too_large'])
    expect(io.lost).toMatchObject([
      {
        reason: 'too_large',
        message: 'the line is over the limit of maxLine',
        body: Buffer.from('x'.repeat(2_000)),
        position: expect.stringMatching(/^\w+:\d+:\d+:[0-9a-f]{12}:2$/) as string,
      },
    ])
    expect(io.lines).toContainEqual({
      level: 'warn',
      message: 'a line was refused',
      fields: { at: `${path}:2`, code: 'too_large', error: 'the line is over the limit of maxLine', refused: 1 },
    })
  })

  it('are counted when the file was emptied in the middle of one', async () => {
    writeFileSync(path, 'a\nhalf')
    const { io } = start({ from: 'beginning' })
    await expect.poll(() => texts(io)).toEqual(['a'])
    truncateSync(path)
    await expect.poll(() => io.counted).toEqual(['skipped truncated'])
  })

  it('wait while the gateway is overloaded', async () => {
    let tries = 0
    writeFileSync(path, 'a\nb\n')
    const { io, done } = start({ from: 'beginning', once: true }, async () => {
      if (++tries < 4) throw new YarakError('overloaded', 'no room', { retryAfter: 1 })
      return settled
    })
    await done
    expect(texts(io)).toEqual(['a', 'b'])
    expect(io.counted).toEqual([])
  })

  it('end the run when the gateway fails in a way it never should, and come again', async () => {
    writeFileSync(path, 'a\nb\n')
    const first = start({ once: true }, async (raw) => {
      if (String(raw) === 'b') throw new TypeError('a bug')
      return settled
    })
    await expect(first.done).rejects.toThrow('a bug')
    const second = start({ once: true })
    await second.done
    expect(texts(second.io)).toEqual(['b'])
  })
})

describe('the checkpoint', () => {
  it('is where the next start goes on', async () => {
    writeFileSync(path, 'a\n')
    await start({ once: true }).done
    appendFileSync(path, 'b\n')
    const second = start()
    await expect.poll(() => texts(second.io)).toEqual(['b'])
  })

  it('goes no further than what is settled without a gap; the rest comes again with the same position', async () => {
    const { emit, settle } = byHand()
    const first = start({}, emit)
    await expect.poll(() => first.io.lines.length).toBeGreaterThan(0)
    writeFileSync(path, 'a\nb\nc\n')
    await expect.poll(() => texts(first.io)).toEqual(['a', 'b', 'c'])
    settle('a')
    settle('c')
    await stop(first)
    appendFileSync(path, `${'d'.repeat(500)}\n`)
    const second = start()
    await expect.poll(() => texts(second.io)).toEqual(['b', 'c', 'd'.repeat(500)])
    expect(positions(second.io).slice(0, 2)).toEqual(positions(first.io).slice(1))
  })

  it('has no part in a file that is read from its beginning on purpose: every line is new at each start', async () => {
    writeFileSync(path, 'a\n')
    const first = start({ from: 'beginning' })
    await expect.poll(() => texts(first.io)).toEqual(['a'])
    await stop(first)
    const second = start({ from: 'beginning' })
    await expect.poll(() => texts(second.io)).toEqual(['a'])
    expect(positions(second.io)).not.toEqual(positions(first.io))
  })

  it('is saved while it runs', async () => {
    writeFileSync(path, 'a\nb\n')
    const { io } = start({ from: 'beginning' })
    await expect.poll(() => texts(io)).toEqual(['a', 'b'])
    await expect.poll(() => openState().get(path), { timeout: 5_000 }).toMatchObject({ offset: 4 })
  })

  it('waits on a stop for lines in work', async () => {
    writeFileSync(path, 'a\n')
    const { emit, settle } = byHand()
    const one = start({ from: 'beginning', stopTimeout: '10s' }, emit)
    await expect.poll(() => texts(one.io)).toEqual(['a'])
    one.io.stop()
    setTimeout(() => settle('a'), 20)
    await one.done
    expect(await openState().get(path)).toMatchObject({ offset: 2 })
  })

  it('finds the rest of a file that was rotated meanwhile', async () => {
    writeFileSync(path, 'a\n')
    await start({ once: true }).done
    appendFileSync(path, 'b\n')
    renameSync(path, `${path}.1`)
    writeFileSync(path, 'c\n')
    const { io, done } = start({ once: true })
    await done
    expect(texts(io)).toEqual(['b', 'c'])
  })

  it('is not used with from: beginning or end', async () => {
    writeFileSync(path, 'a\n')
    await start({ once: true }).done
    const again = start({ from: 'beginning', once: true })
    await again.done
    expect(texts(again.io)).toEqual(['a'])
    appendFileSync(path, 'b\n')
    const end = start({ from: 'end', once: true })
    await end.done
    expect(texts(end.io)).toEqual([])
  })

  it('that is damaged is said and passed over', async () => {
    writeFileSync(path, 'a\n')
    await openState().set(path, { offset: 'many' })
    const { io, done } = start({ once: true })
    await done
    expect(texts(io)).toEqual(['a'])
    expect(io.lines[0]).toMatchObject({ level: 'warn', message: expect.stringContaining('not readable') as string })
  })

  it('that cannot be saved is said once, and reading goes on', async () => {
    const full = () => Promise.reject(new YarakError('unavailable', 'the disk is full'))
    writeFileSync(path, 'a\nb\n')
    const { io, done } = start({ once: true }, undefined, { get: async () => undefined, set: full })
    await done
    expect(texts(io)).toEqual(['a', 'b'])
    expect(io.lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { message: 'the checkpoint could not be saved', fields: { error: 'the disk is full' } },
    ])
  })
})

describe('bounds', () => {
  it('has no more lines in work than allowed', async () => {
    writeFileSync(path, 'a\nb\nc\n')
    const { emit, settle } = byHand()
    const { io } = start({ from: 'beginning', maxInFlight: 2 }, emit)
    await expect.poll(() => texts(io)).toEqual(['a', 'b'])
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(texts(io)).toEqual(['a', 'b'])
    settle('b')
    await expect.poll(() => texts(io)).toEqual(['a', 'b', 'c'])
  })

  it('ends once only when every line is settled', async () => {
    writeFileSync(path, 'a\nb')
    const { emit, settle } = byHand()
    const { io, done } = start({ once: true }, emit)
    let ended = false
    void done.then(() => (ended = true))
    await expect.poll(() => texts(io)).toEqual(['a', 'b'])
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(ended).toBe(false)
    settle('a')
    settle('b')
    await done
    expect(await openState().get(path)).toMatchObject({ offset: 3 })
  })

  it('stops in the middle of a file that is full of lines in work', async () => {
    writeFileSync(path, 'x\n'.repeat(5_000))
    const one = start({ from: 'beginning', maxInFlight: 10 }, async () => ({ id: 'e', done: new Promise(() => {}) }))
    await expect.poll(() => one.io.emitted.length).toBe(10)
    await stop(one)
    expect(one.io.emitted).toHaveLength(10)
    expect(await openState().get(path)).toMatchObject({ offset: 0 })
  })

  it('takes a large file whole', async () => {
    const count = 20_000
    writeFileSync(path, Array.from({ length: count }, (_, i) => `{"n":${i},"pad":"${'é'.repeat(i % 40)}"}\n`).join(''))
    const { io, done } = start({ once: true })
    await done
    expect(texts(io).map((text) => (JSON.parse(text) as { n: number }).n)).toEqual(
      Array.from({ length: count }, (_, i) => i),
    )
    expect(new Set(positions(io)).size).toBe(count)
  })
})

describe('a path that cannot be read', () => {
  it('is waited for, which is said once', async () => {
    mkdirSync(path)
    const { io } = start()
    await expect.poll(() => errors(io)).toEqual([`${path} is a directory`])
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(warnings(io)).toHaveLength(1)
    rmSync(path, { recursive: true })
    await expect.poll(() => errors(io)).toEqual([`${path} is a directory`, `${path} is not there`])
    writeFileSync(path, 'a\n')
    await expect.poll(() => texts(io)).toEqual(['a'])
    expect(io.lines.at(-1)).toMatchObject({ level: 'info', message: 'a file can be read again', fields: { path } })
  })

  it('ends once with an error that says why, after the other files are done', async () => {
    writeFileSync(path, 'a\n')
    const { io, done } = start({ path: [join(dir, 'missing'), path], once: true })
    await expect(done).rejects.toMatchObject({ code: 'unavailable', permanent: true })
    await expect(done).rejects.toThrow(`cannot read ${join(dir, 'missing')}`)
    expect(texts(io)).toEqual(['a'])
  })

  it('says that the file of the checkpoint is gone', async () => {
    writeFileSync(path, 'a\n')
    await start({ once: true }).done
    writeFileSync(join(dir, 'other'), 'b\n')
    renameSync(join(dir, 'other'), path)
    const { io } = start()
    await expect.poll(() => texts(io)).toEqual(['b'])
    expect(warnings(io)[0]).toContain('the file of the checkpoint is gone')
  })
})
