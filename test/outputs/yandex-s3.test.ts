import { describe, expect, it } from 'vitest'
import { yandexS3 } from '../../outputs/yandex-s3.ts'
import { aNotice, aReport, testIo } from '../../src/testing.ts'
import { KEYS, NEVER } from './_fake-aws.ts'
import { createFakeS3, s3Fault } from './_fake-s3.ts'

const rig = async (more: object = {}) => {
  const s3 = createFakeS3({ ...KEYS, region: 'ru-central1' })
  const io = testIo({ answer: (request) => s3.answer(request) })
  const sender = await yandexS3.open(yandexS3.config.parse({ bucket: 'falco-events', ...KEYS, ...more }), io)
  return { s3, io, sender }
}

describe('yandex.s3', () => {
  it('writes events and reports as objects, addressed by path', async () => {
    const { s3, io, sender } = await rig()
    await sender.send([aNotice(), aNotice({ report: aReport() })], NEVER)
    const name = 'falco-events/falco/2026-01-31/2026-01-31T12:00:00.123456789Z_019c13e6-8b3b-7000-8000-000000000001'
    expect([...s3.objects.keys()]).toEqual([`${name}.json`, `${name}_7d0f4a2c9b1e.json`])
    expect(new URL(io.requests[0]?.url ?? '').host).toBe('storage.yandexcloud.net')
    const [first] = s3.objects.values()
    expect(first?.headers).toMatchObject({ 'content-type': 'application/json' })
    expect(first?.headers).not.toHaveProperty('x-amz-acl')
  })

  it('writes without a prefix, elsewhere', async () => {
    const { s3, io, sender } = await rig({ prefix: '', endpoint: 'http://store:9000/' })
    await sender.send([aNotice()], NEVER)
    expect([...s3.objects.keys()][0]).toMatch(/^falco-events\/2026-01-31\//)
    expect(new URL(io.requests[0]?.url ?? '').origin).toBe('http://store:9000')
  })

  it('keeps no files', async () => {
    const { sender } = await rig()
    expect([yandexS3.stores, 'store' in sender]).toEqual([undefined, false])
  })

  it('may try again when the store is busy, and not when it forbids', async () => {
    const { s3, sender } = await rig()
    s3.override = () => s3Fault(503, 'SlowDown')
    await expect(sender.send([aNotice()], NEVER)).rejects.toMatchObject({ permanent: false })
    s3.override = () => s3Fault(403, 'AccessDenied')
    await expect(sender.send([aNotice()], NEVER)).rejects.toMatchObject({ permanent: true, reason: '403' })
  })

  it('is refused with another secret, and for another region', async () => {
    for (const more of [{ secretAccessKey: 'another' }, { region: 'kz1' }]) {
      const { sender } = await rig(more)
      await expect(sender.send([aNotice()], NEVER)).rejects.toMatchObject({ permanent: true })
    }
  })
})
