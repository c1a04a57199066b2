import { describe, expect, it } from 'vitest'
import { gcpCloudrun } from '../../outputs/gcp-cloudrun.ts'
import { toJson } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, testIo } from '../../src/testing.ts'
import { secretsIn } from '../../src/testing/cases.ts'
import { BIG, NEVER, rejection } from './_fake-aws.ts'
import { googleFault, googleRig } from './_fake-google.ts'

const endpoint = 'https://on-alert-abcdef-ew.a.run.app/falco?team=soc'

const rig = (config: object = {}, answer?: Parameters<typeof googleRig>[2], authorization?: string) =>
  googleRig(gcpCloudrun, { endpoint, ...config }, answer, authorization)

describe('gcp.cloudrun', () => {
  it('posts the event with an identity token for the service', async () => {
    const { send, only, audiences } = await rig()
    await send(aNotice({ event: anEvent({ output_fields: { 'evt.time': BIG } }) }))
    expect(only()).toMatchObject({ method: 'POST', url: endpoint })
    expect(only().headers['content-type']).toBe('application/json; charset=utf-8')
    expect(only().body).toContain(`"evt.time":${BIG}`)
    expect(audiences).toEqual(['https://on-alert-abcdef-ew.a.run.app'])
  })

  it('asks for a token for another audience', async () => {
    const { send, audiences } = await rig({ audience: 'https://custom.example.com' })
    await send(aNotice())
    expect(audiences).toEqual(['https://custom.example.com'])
  })

  it('sends the token that is set, and asks for none', async () => {
    const { send, only, audiences } = await rig(
      { jwt: 'header.claims.signature' },
      undefined,
      'Bearer header.claims.signature',
    )
    await send(aNotice({ report: aReport() }))
    expect(JSON.parse(only().body)).toMatchObject({ response: { outcome: 'succeeded' } })
    expect(audiences).toEqual([])
  })

  it('needs no account where the token is set', async () => {
    const io = testIo()
    const sender = await gcpCloudrun.open(gcpCloudrun.config.parse({ endpoint, jwt: 'a.b.c' }), io)
    await sender.send([aNotice()], NEVER)
    expect(io.requests).toHaveLength(1)
  })

  it('checks the certificate of the server', async () => {
    const given: unknown[] = []
    const io = testIo()
    const http: typeof io.http = (request) => (given.push(request.tls), io.http(request))
    const sender = await gcpCloudrun.open(gcpCloudrun.config.parse({ endpoint, jwt: 'a.b.c' }), { ...io, http })
    await sender.send([aNotice()], NEVER)
    expect(given).toEqual([undefined])
  })

  it('tells its token nowhere', async () => {
    const { io, send } = await rig(
      { jwt: 'header.claims.signature' },
      ({ headers }) => ({
        status: 403,
        body: `no: ${headers.authorization}`,
      }),
      'Bearer header.claims.signature',
    )
    const error = await rejection(send(aNotice()))
    expect(toJson([String(error), io.spans, io.lines])).not.toContain('header.claims.signature')
    expect(secretsIn(gcpCloudrun.config, { endpoint, jwt: 'x.y.z' })).toEqual(['x.y.z'])
  })

  it.each([
    [429, false],
    [503, false],
    [401, true],
    [404, true],
  ])('is refused with %s: permanent %s', async (code, permanent) => {
    const { send } = await rig({}, () => googleFault(code, 'X'))
    expect(await rejection(send(aNotice()))).toMatchObject({ permanent, reason: String(code) })
  })

  it('refuses a token of two lines', () =>
    expect(() => gcpCloudrun({ endpoint, jwt: 'a\r\nx: y' })).toThrow('one word'))
})
