import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text as textOf } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { YarakError } from '../src/errors.ts'
import type { Sender, StoredFile } from '../src/plugin.ts'
import { createSave, type Custody } from '../src/save.ts'
import { targetOf } from '../src/target.ts'
import { createTracing } from '../src/telemetry.ts'
import { anEvent } from '../src/testing.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()

interface Kept {
  readonly file: StoredFile
  readonly text: string
}

/** An output that keeps files in memory, and may fail after it has taken some. */
const aStore = (fail?: (file: StoredFile) => void) => {
  const kept: Kept[] = []
  const store: NonNullable<Sender['store']> = async (file, chunks) => {
    const text = await textOf(Readable.from(chunks))
    fail?.(file)
    kept.push({ file, text })
    return { url: `memory:${file.name}` }
  }
  return { kept, store }
}

const event = anEvent({ rule: 'Ünsafe\nrule' })

const rig = (custody: Partial<Custody> = {}, store?: NonNullable<Sender['store']>) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'yarak-save-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true }))
  const tracing = createTracing('test')
  const span = tracing.start('action test')
  const whole: Custody = {
    action: 'kubernetes:tcpdump',
    response: { id: '0123456789abcdef', rule: 'Shell in Ürümqi', step: 'capture', traceparent: span.traceparent },
    subject: { kind: 'Pod', key: 'pod/shop/web-1', namespace: 'shop', name: 'web-1', uid: 'uid-1' },
    target: targetOf(event),
    event,
    mode: 'enforce',
    dataDir,
    signal: new AbortController().signal,
    store: store ? 'aws.s3/evidence' : undefined,
    span,
    ...custody,
  }
  const save = createSave(whole, { tracing, store: (id) => (id === 'aws.s3/evidence' ? store : undefined) })
  return { dataDir, save, span, folder: join(dataDir, 'evidence') }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

describe('the name of a kept file', () => {
  it('tells when, of what, in which response and by which step', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-01-31T12:00:00.5Z') })
    onTestFinished(() => void vi.useRealTimers())
    const { save } = rig()
    const { name } = await save('capture.pcap', [])
    expect(name).toBe('2026-01-31T12-00-00.500Z_shop_web-1_01234567_capture_capture.pcap')
  })

  it('takes pod and namespace from the event when the live target is not known', async () => {
    const { name } = await rig({ subject: undefined }).save('x', [])
    expect(name).toMatch(/Z_default_web-1_01234567_capture_x$/)
  })

  it.each([
    ['../../etc/passwd', 'etc_passwd'],
    ['/var/log/x.log', 'var_log_x.log'],
    ['a b\nc', 'a_b_c'],
    ['..', 'file'],
    ['', 'file'],
    ['.hidden', 'hidden'],
    ['x'.repeat(300), 'x'.repeat(120)],
  ])('makes %j a plain part of it', async (given, part) => {
    expect((await rig().save(given, [])).name.endsWith(`_capture_${part}`)).toBe(true)
  })

  it('is plain whatever comes from outside', async () => {
    const { kept, store } = aStore()
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), fc.string(), fc.string(), async (file, namespace, name) => {
        const subject = { kind: 'Pod', key: 'k', namespace, name }
        await rig({ subject }, store).save(file, [])
        const all = kept.splice(0).map((one) => one.file.name)
        for (const one of all) {
          expect(one).toMatch(/^[A-Za-z0-9._-]+$/)
          expect(one).not.toMatch(/\.\.|^\./)
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe('a kept file', () => {
  it('goes to the folder `evidence` of the data directory when the step has no store', async () => {
    const { save, folder } = rig()
    const artifact = await save('a.log', [Buffer.from('ab'), Buffer.from('c')])
    expect(artifact).toMatchObject({ size: 3, sha256: sha256('abc') })
    expect(fileURLToPath(artifact.url)).toBe(join(folder, artifact.name))
    expect(readFileSync(join(folder, artifact.name), 'utf8')).toBe('abc')
  })

  it('goes to its store piece by piece, with its type and few words about it', async () => {
    const { kept, store } = aStore()
    const { save, span, folder } = rig({}, store)
    async function* pieces() {
      yield await Promise.resolve(Buffer.from('ab'))
      yield Buffer.from('c')
    }
    const artifact = await save('a.log', pieces(), { contentType: 'text/plain' })
    expect(artifact).toEqual({ name: artifact.name, url: `memory:${artifact.name}`, size: 3, sha256: sha256('abc') })
    expect(kept[0]).toEqual({
      text: 'abc',
      file: {
        name: artifact.name,
        contentType: 'text/plain',
        metadata: {
          response: '0123456789abcdef',
          rule: 'Shell in ?r?mqi',
          step: 'capture',
          event: event.id,
          trace: span.traceId,
        },
      },
    })
    expect(existsSync(folder)).toBe(false)
  })

  it('has a record of custody beside it: who, when, of what, by which trace, with which checksum', async () => {
    const { kept, store } = aStore()
    const { save, span } = rig({}, store)
    const artifact = await save('a.log', [Buffer.from('abc')])
    const [, record] = kept
    expect(record?.file).toMatchObject({ name: `${artifact.name}.custody.json`, contentType: 'application/json' })
    expect(JSON.parse(record?.text ?? '')).toEqual({
      ...artifact,
      savedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      finishedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      savedBy: 'yarak',
      action: 'kubernetes:tcpdump',
      response: { id: '0123456789abcdef', rule: 'Shell in Ürümqi', step: 'capture', mode: 'enforce' },
      event: { id: event.id, rule: 'Ünsafe\nrule', time: event.time, priority: 'Notice' },
      subject: { kind: 'Pod', namespace: 'shop', name: 'web-1', uid: 'uid-1' },
      store: 'aws.s3/evidence',
      traceId: span.traceId,
    })
  })

  it('has a span with its name, size and checksum', async () => {
    const { save, span } = rig({}, aStore().store)
    const artifact = await save('a.log', [Buffer.from('abc')])
    expect(spans.one('store aws.s3/evidence')).toMatchObject({
      parentId: span.traceparent?.split('-')[2],
      attributes: {
        'yarak.output': 'aws.s3/evidence',
        'yarak.artifact': artifact.name,
        'yarak.artifact.size': 3,
        'yarak.artifact.sha256': sha256('abc'),
      },
    })
  })
})

describe('a file that cannot be kept', () => {
  it('leaves nothing when its source fails, and the error is passed on', async () => {
    const { save, folder } = rig()
    const error = new YarakError('unavailable', 'the socket was cut')
    async function* broken() {
      yield await Promise.resolve(Buffer.from('ab'))
      throw error
    }
    await expect(save('a.log', broken())).rejects.toBe(error)
    expect(readdirSync(folder)).toEqual([])
    expect(spans.one('store evidence').failed).toBe(true)
  })

  it('has no record of custody when the store refuses it', async () => {
    const refused = new YarakError('failed', 'quota')
    const { kept, store } = aStore(() => {
      throw refused
    })
    await expect(rig({}, store).save('a.log', [])).rejects.toBe(refused)
    expect(kept).toEqual([])
  })

  it('is not said to be kept when its record is not', async () => {
    const { kept, store } = aStore(({ name }) => {
      if (name.endsWith('.custody.json')) throw new YarakError('failed', 'quota')
    })
    await expect(rig({}, store).save('a.log', [Buffer.from('x')])).rejects.toThrow('quota')
    expect(kept.map(({ text }) => text)).toEqual(['x'])
  })

  it('is refused for good when the store keeps no files', async () => {
    await expect(rig({ store: 'slack/secops' }).save('a', [])).rejects.toMatchObject({
      code: 'config',
      permanent: true,
      message: 'slack/secops is not an output that keeps files',
    })
  })
})
