/** Outputs that hand the whole event to a function, a flow or a workflow. */
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { basicAuth } from '../../outputs/_basic.ts'
import { fission } from '../../outputs/fission.ts'
import { kubeless } from '../../outputs/kubeless.ts'
import { n8n } from '../../outputs/n8n.ts'
import { nodered } from '../../outputs/nodered.ts'
import { openfaas } from '../../outputs/openfaas.ts'
import { talon } from '../../outputs/talon.ts'
import { tekton } from '../../outputs/tekton.ts'
import { mergePermissions, neededBy, permissionText } from '../../src/permissions.ts'
import type { Output } from '../../src/plugin.ts'
import { kubernetes } from '../../src/resources/kubernetes.ts'
import { aNotice, anEvent, aReport, testIo } from '../../src/testing.ts'
import { fakeCluster, type FakeCluster } from '../fake-cluster.ts'
import { UUID } from './_falcosidekick.ts'
import { expectSame, requestsFor } from './_same.ts'

const NEVER = new AbortController().signal
const HOOK = 'https://flows.example.com/falco'

describe('what Falcosidekick sends', () => {
  it.each<[string, Output, object, string]>([
    ['talon', talon, { address: HOOK }, HOOK],
    ['tekton', tekton, { eventListener: HOOK }, HOOK],
    ['nodered', nodered, { address: HOOK, user: 'u', password: 'p' }, HOOK],
    ['n8n', n8n, { address: HOOK, user: 'u', password: 'p', headerAuthName: 'x-key', headerAuthValue: 'v' }, HOOK],
    ['fission', fission, { function: 'echo' }, 'http://router.fission.svc.cluster.local/fission-function/echo'],
    ['kubeless', kubeless, { function: 'echo', namespace: 'default' }, 'http://echo.default.svc.cluster.local:8080/'],
  ])('is what %s sends', async (name, output, settings, url) => {
    await expectSame({ name, output, settings, url })
  })

  it('is what openfaas sends, and the id of the event besides', async () => {
    const url = 'http://gateway.openfaas:8080/function/echo.openfaas-fn'
    const headers = () => ({ 'event-id': UUID })
    await expectSame({ name: 'openfaas', output: openfaas, settings: { functionName: 'echo' }, url, headers })
  })
})

const ALL: readonly (readonly [string, Output, object])[] = [
  ['talon', talon, { address: HOOK }],
  ['tekton', tekton, { eventListener: HOOK }],
  ['nodered', nodered, { address: HOOK }],
  ['n8n', n8n, { address: HOOK }],
  ['openfaas', openfaas, { functionName: 'echo' }],
  ['fission', fission, { function: 'echo' }],
  ['kubeless', kubeless, { function: 'echo', namespace: 'default' }],
]

describe.each(ALL)('%s', (_name, output, settings) => {
  it('tells of a response, with its trace, beside the event', async () => {
    const report = aReport()
    const traceUrl = 'https://jaeger.example.com/trace/4bf9'
    const [request] = await requestsFor(output, settings, aNotice({ report, traceUrl }))
    const body = JSON.parse(request?.body ?? '') as object
    expect(body).toMatchObject({ rule: 'Terminal shell in container', response: report, trace_url: traceUrl })
  })

  it('tells how many alerts a digest stands for', async () => {
    const digest = { count: 3, first: '2026-01-31T12:00:00Z', last: '2026-01-31T12:01:00Z' }
    const [request] = await requestsFor(output, settings, aNotice({ digest }))
    expect(JSON.parse(request?.body ?? '')).toMatchObject({ digest })
  })

  it('sends one request for each notice', async () => {
    const uuids = ['a', 'b', 'c']
    const notices = uuids.map((uuid) => aNotice({ event: anEvent({ uuid }) }))
    const sent = await requestsFor(output, settings, ...notices)
    expect(sent.map(({ body }) => (JSON.parse(body) as { uuid: string }).uuid)).toEqual(uuids)
  })
})

describe('signing in', () => {
  it('takes a name with any password', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1, unit: 'grapheme' }), (user, password) => {
        const header = basicAuth(user, password) ?? ''
        expect(header).toMatch(/^Basic [A-Za-z0-9+/]+=*$/)
        expect(Buffer.from(header.slice(6), 'base64').toString()).toBe(Buffer.from(`${user}:${password}`).toString())
      }),
    )
  })

  it.each([
    [undefined, undefined],
    ['u', undefined],
    [undefined, 'p'],
    ['', 'p'],
  ])('is left out for %j and %j', (user, password) => {
    expect(basicAuth(user, password)).toBeUndefined()
  })

  it('sends no header that is not set', async () => {
    const [request] = await requestsFor(n8n, { address: HOOK, user: 'u' }, aNotice())
    expect(request?.headers).not.toHaveProperty('authorization')
    const [other] = await requestsFor(nodered, { address: HOOK }, aNotice())
    expect(other?.headers).not.toHaveProperty('authorization')
  })
})

describe('settings', () => {
  it.each<[(config: never) => unknown, object, RegExp]>([
    [n8n, { address: HOOK, headerAuthName: 'x-key' }, /headerAuthName and headerAuthValue go together/],
    [n8n, { address: HOOK, headerAuthName: 'x key', headerAuthValue: 'v' }, /name of an HTTP header/],
    [n8n, { address: HOOK, headerAuthName: 'x', headerAuthValue: 'v\r\nx: y' }, /one line of a header/],
    [nodered, { address: 'node-red:1880' }, /http or https address/],
    [tekton, {}, /eventListener is required/],
    [openfaas, { functionName: '../../admin' }, /functionName: must be a name of Kubernetes/],
    [openfaas, { functionName: 'f', gatewayPort: 0 }, /gatewayPort/],
    [fission, { function: 'A' }, /function: must be a name of Kubernetes/],
    [kubeless, { function: 'f' }, /namespace is required/],
    [kubeless, { function: 'f', namespace: 'n', port: 65_536 }, /port/],
  ])('%# are refused', (output, settings, message) => {
    expect(() => output(settings as never)).toThrow(message)
  })

  it('name other services, ports and namespaces', async () => {
    const settings = {
      functionName: 'f',
      functionNamespace: 'fns',
      gatewayService: 'gw',
      gatewayNamespace: 'faas',
      gatewayPort: 9090,
    }
    const [request] = await requestsFor(openfaas, settings, aNotice())
    expect(request?.url).toBe('http://gw.faas:9090/function/f.fns')
    const router = { function: 'f', routerNamespace: 'ns', routerService: 'r', routerPort: 8888 }
    const [other] = await requestsFor(fission, router, aNotice())
    expect(other?.url).toBe('http://r.ns.svc.cluster.local:8888/fission-function/f')
  })
})

describe('by the API server', () => {
  let cluster: FakeCluster | undefined
  afterEach(async () => {
    await cluster?.close()
    cluster = undefined
  })

  const PLACES: readonly (readonly [string, Output, object, string])[] = [
    [
      'openfaas',
      openfaas,
      { functionName: 'echo' },
      '/api/v1/namespaces/openfaas/services/gateway%3A8080/proxy/function/echo.openfaas-fn',
    ],
    [
      'fission',
      fission,
      { function: 'echo' },
      '/api/v1/namespaces/fission/services/router%3A80/proxy/fission-function/echo',
    ],
    [
      'kubeless',
      kubeless,
      { function: 'echo', namespace: 'default' },
      '/api/v1/namespaces/default/services/echo%3A8080/proxy/',
    ],
  ]

  /** Opens the output in a cluster that answers everything so. */
  const inCluster = async (output: Output, settings: object, answer: { status: number; body: unknown }) => {
    const fake = await fakeCluster()
    cluster = fake
    fake.override = () => answer
    const io = testIo()
    const value = await kubernetes.open(kubernetes.config.parse({ kubeconfig: fake.kubeconfig }), io)
    const own = testIo({ resources: { kubernetes: value } })
    return { fake, io: own, sender: await output.open(output.config.parse({ ...settings, serviceProxy: true }), own) }
  }

  it.each(PLACES)('%s calls the service behind its proxy', async (_name, output, settings, path) => {
    const { fake, io, sender } = await inCluster(output, settings, { status: 200, body: 'done' })
    const event = anEvent({ output_fields: { big: 1_769_860_800_123_456_789n } })
    await sender.send([aNotice({ event }), aNotice({ report: aReport() })], NEVER)
    expect(fake.requests.map((one) => [one.method, one.path, one.headers['event-id']])).toEqual([
      ['POST', path, event.id],
      ['POST', path, aReport().id],
    ])
    expect(fake.requests[0]?.headers['content-type']).toBe('application/json')
    expect(fake.requests[0]?.body).toMatchObject({ rule: event.rule, uuid: event.id })
    expect(io.requests).toEqual([])
    const shown = output.preview?.(aNotice({ event }), output.config.parse({ ...settings, serviceProxy: true }))
    expect(shown).toMatchObject({ method: 'POST', headers: { 'event-id': event.id }, body: { uuid: event.id } })
    expect(io.spans[0]?.name).toMatch(/^POST \/api\/v1\/namespaces\/\{namespace\}\/services\/\{name\}\/proxy/)
  })

  it('takes any answer of a function for an answer, also a web page', async () => {
    const { fake, sender } = await inCluster(fission, { function: 'echo' }, { status: 200, body: '<html>hi</html>' })
    fake.override = () => ({ status: 200, body: '<html>hi</html>', headers: { 'content-type': 'text/html' } })
    await sender.send([aNotice()], NEVER)
    expect(fake.requests).toHaveLength(1)
  })

  it.each([
    [503, false],
    [500, false],
    [400, true],
  ])('an answer of %i is a failure', async (status, permanent) => {
    const { sender } = await inCluster(openfaas, { functionName: 'echo' }, { status, body: 'no' })
    await expect(sender.send([aNotice()], NEVER)).rejects.toMatchObject({ permanent })
  })

  it('stops at once', async () => {
    const { sender, fake } = await inCluster(openfaas, { functionName: 'echo' }, { status: 200, body: '' })
    await expect(sender.send([aNotice()], AbortSignal.abort())).rejects.toThrow()
    const stop = new AbortController()
    fake.override = () => {
      setImmediate(() => stop.abort())
      return 'hang'
    }
    await expect(sender.send([aNotice()], stop.signal)).rejects.toMatchObject({ code: 'interrupted' })
  })

  it('needs the right to do so, and nothing of a cluster else', () => {
    const needs = (output: (config: never) => unknown, settings: object) =>
      mergePermissions(
        neededBy({ rules: [], mode: 'observe', outputs: [output(settings as never) as never] }).map(({ rule }) => rule),
      ).map(permissionText)
    for (const [, output, settings] of PLACES) {
      const make = output as unknown as (config: never) => unknown
      expect(needs(make, settings)).toEqual([])
      expect(needs(make, { ...settings, serviceProxy: true })).toEqual(['create services/proxy'])
    }
  })
})
