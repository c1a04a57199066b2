/** Files and events in a real S3 server, which checks signatures and checksums. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { awsS3 } from '../../outputs/aws-s3.ts'
import { minio } from '../../outputs/minio.ts'
import { createGateway } from '../../src/index.ts'
import { createHttpClient } from '../../src/http.ts'
import type { Io, Output } from '../../src/plugin.ts'
import { evidenceSave } from '../../src/actions/evidence-save.ts'
import { aNotice, testIo } from '../../src/testing.ts'
import { alert } from '../kit.ts'
import { aStream, MIB, pieces } from '../outputs/_streams.ts'
import { s3 } from './s3.ts'
import { describePart, running } from './vitest.ts'

const NEVER = new AbortController().signal

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Every file below a folder, but for what the server keeps for itself. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

describePart(s3, () => {
  const at = running(s3, { buckets: ['evidence'] })
  const client = createHttpClient()
  const settings = () => {
    const { url: endpoint, region, accessKeyId, secretAccessKey } = at()
    return { endpoint, region, accessKeyId, secretAccessKey, bucket: 'evidence', prefix: 'cases' }
  }
  const open = (output: Output, more: object = {}) => {
    const base = testIo()
    const io: Io = { ...base, http: client.bind(base.call) }
    return output.open(output.config.parse({ ...settings(), ...more }), io)
  }
  const pathOf = (name: string) => join(at().folder, 'evidence', 'cases', name)
  const file = (name: string) => ({
    name,
    contentType: 'application/x-pcap',
    metadata: { rule: 'Shell  in a container', response: '7d0f', trace: '4bf92f35' },
  })

  test.each<[string, Output, object]>([
    ['aws.s3', awsS3, { objectCannedACL: 'private' }],
    ['minio', minio, {}],
  ])('%s keeps small and large files', async (type, output, more) => {
    const sender = await open(output, more)
    await sender.store?.(file(`${type}.log`), pieces('ab', 'c'), NEVER)
    expect(readFileSync(pathOf(`${type}.log`), 'utf8')).toBe('abc')
    const { state, chunks } = aStream(20 * MIB + 5)
    await sender.store?.(file(`${type}.pcap`), chunks, NEVER)
    const whole: Uint8Array[] = []
    for await (const chunk of aStream(20 * MIB + 5).chunks) whole.push(chunk)
    expect(sha256(readFileSync(pathOf(`${type}.pcap`)))).toBe(sha256(Buffer.concat(whole)))
    expect(state.taken).toBe(20 * MIB + 5)
  })

  test('an empty file, an event', async () => {
    const sender = await open(minio)
    await sender.store?.(file('empty'), pieces(), NEVER)
    expect(readFileSync(pathOf('empty')).length).toBe(0)
    await sender.send([aNotice()], NEVER)
    const name = '2026-01-31/2026-01-31T12:00:00.123456789Z_019c13e6-8b3b-7000-8000-000000000001.json'
    expect(JSON.parse(readFileSync(pathOf(name), 'utf8'))).toMatchObject({ rule: 'Terminal shell in container' })
  })

  test('a file whose source fails leaves no object and no parts', async () => {
    const sender = await open(minio)
    const before = filesIn(at().folder)
    await expect(sender.store?.(file('cut.pcap'), aStream(30 * MIB, 20 * MIB).chunks, NEVER)).rejects.toThrow('cut')
    expect(existsSync(pathOf('cut.pcap'))).toBe(false)
    expect(filesIn(at().folder)).toEqual(before)
  })

  test('what the server refuses is told', async () => {
    const stored = (more: object) =>
      Promise.resolve(open(minio, more)).then((sender) => sender.store?.(file('x'), pieces('x'), NEVER))
    await expect(stored({ secretAccessKey: 'another' })).rejects.toThrow('SignatureDoesNotMatch')
    await expect(stored({ bucket: 'elsewhere' })).rejects.toMatchObject({ reason: '404', permanent: true })
  })

  test('a rule keeps its evidence in a store that is told nothing else', async () => {
    const store = minio(settings(), 'cases')
    const gateway = createGateway({
      outputs: [{ output: store, tell: 'none' }],
      rules: [{ name: 'keep', steps: [{ id: 'save', action: evidenceSave({}), store: 'minio/cases' }] }],
    })
    const [report] = await (await gateway.emit(alert())).done
    await gateway.stop()
    expect(report).toMatchObject({ outcome: 'succeeded' })
    const [artifact] = report?.steps[0]?.artifacts ?? []
    expect(artifact?.url).toBe(`${at().url}/evidence/cases/${artifact?.name}`)
    const bytes = readFileSync(pathOf(artifact?.name ?? ''))
    expect(sha256(bytes)).toBe(artifact?.sha256)
    const custody = JSON.parse(readFileSync(pathOf(`${artifact?.name}.custody.json`), 'utf8')) as object
    expect(custody).toMatchObject({ ...artifact, store: 'minio/cases', response: { rule: 'keep', step: 'save' } })
  })
})
