import { describe, expect, it } from 'vitest'
import { minio } from '../../outputs/minio.ts'
import { aNotice, outputCases, testIo } from '../../src/testing.ts'
import { createFakeS3 } from './_fake-s3.ts'
import { aStream, MIB, pieces } from './_streams.ts'

const NEVER = new AbortController().signal
const keys = { accessKeyId: 'yarak', secretAccessKey: 'wJalrXUtnFEMI' }

const rig = async (more: object = {}, region = 'us-east-1') => {
  const s3 = createFakeS3({ ...keys, region })
  const io = testIo({ answer: (request) => s3.answer(request), env: { AWS_REGION: 'eu-west-1' } })
  const settings = { endpoint: 'http://minio:9000', bucket: 'evidence', ...keys, ...more }
  return { s3, io, sender: await minio.open(minio.config.parse(settings), io) }
}

describe('minio', () => {
  for (const { name, run } of outputCases(minio)) it(name, run)

  it('writes events by path, without an ACL, whatever region the environment is in', async () => {
    const { s3, io, sender } = await rig()
    await sender.send([aNotice()], NEVER)
    expect(io.requests[0]?.url.startsWith('http://minio:9000/evidence/2026-01-31/')).toBe(true)
    expect([...s3.objects.values()][0]?.headers).not.toHaveProperty('x-amz-acl')
  })

  it('keeps files, small and large, and says where they are', async () => {
    const { s3, sender } = await rig({ endpoint: 'http://minio:9000/', prefix: 'cases', region: 'home' }, 'home')
    const small = await sender.store?.({ name: 'a.log', metadata: {} }, pieces('abc'), NEVER)
    expect(small).toEqual({ url: 'http://minio:9000/evidence/cases/a.log' })
    await sender.store?.({ name: 'b.pcap', metadata: {} }, aStream(9 * MIB).chunks, NEVER)
    expect([...s3.objects].map(([key, { body }]) => [key, body.length])).toEqual([
      ['evidence/cases/a.log', 3],
      ['evidence/cases/b.pcap', 9 * MIB],
    ])
  })

  it('tells in one word what the server refuses', async () => {
    const { sender } = await rig({ secretAccessKey: 'another' })
    const stored = sender.store?.({ name: 'a.log', metadata: {} }, pieces('abc'), NEVER)
    await expect(stored).rejects.toMatchObject({ reason: '403', permanent: true })
    await expect(sender.send([aNotice()], NEVER)).rejects.toThrow('SignatureDoesNotMatch')
  })
})
