import { hostname } from 'node:os'
import { describe, expect, it } from 'vitest'
import { resourceOf } from '../../src/telemetry/resource.ts'
import { after, collector, event, setEnv, telemetry } from './_kit.ts'

const attributes = async (env: Record<string, string> = {}): Promise<Record<string, unknown>> => {
  setEnv(env)
  const told: string[] = []
  const resource = await resourceOf('1.2.3', env, (problem) => told.push(problem))
  return { told, ...resource.attributes }
}

describe('the resource', () => {
  it('names the service, the host, the SDK and the process', async () => {
    expect(await attributes()).toMatchObject({
      told: [],
      'service.name': 'yarak',
      'service.version': '1.2.3',
      'service.instance.id': expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      'telemetry.sdk.language': 'nodejs',
      'telemetry.sdk.name': 'opentelemetry',
      'telemetry.sdk.version': expect.any(String) as string,
      'host.name': hostname(),
      'os.type': process.platform,
      'process.pid': process.pid,
      'process.runtime.name': 'nodejs',
      'process.runtime.version': process.versions.node,
      'process.executable.path': process.execPath,
    })
  })

  it('has no argument and no command line of the process, which may hold tokens', async () => {
    process.argv.push('--token=s3cret')
    after(() => process.argv.pop())
    const all = await attributes()
    expect(Object.keys(all).filter((name) => /command|args|executable\.name/.test(name))).toEqual([])
    expect(JSON.stringify(all)).not.toContain('s3cret')
  })

  it('is the same for the life of a process', async () => {
    const [one, other] = [await attributes(), await attributes()]
    expect(one['service.instance.id']).toBe(other['service.instance.id'])
  })

  it('names the pod that Kubernetes tells of, where it does', async () => {
    const env = { POD_NAME: 'yarak-0', POD_NAMESPACE: 'falco', NODE_NAME: 'n1', CONTAINER_NAME: '' }
    const all = await attributes(env)
    expect(all).toMatchObject({
      'k8s.pod.name': 'yarak-0',
      'k8s.namespace.name': 'falco',
      'k8s.node.name': 'n1',
    })
    expect(all).not.toHaveProperty('k8s.container.name')
  })

  it.each<[Record<string, string>, Record<string, string>]>([
    [{ OTEL_SERVICE_NAME: 'gate' }, { 'service.name': 'gate' }],
    [{ OTEL_RESOURCE_ATTRIBUTES: 'service.name=a,team=b%20c' }, { 'service.name': 'a', team: 'b c' }],
    [{ OTEL_RESOURCE_ATTRIBUTES: 'service.name=a', OTEL_SERVICE_NAME: 'b' }, { 'service.name': 'b' }],
    [
      { OTEL_RESOURCE_ATTRIBUTES: 'k8s.pod.name=a,service.instance.id=i,host.name=h,service.version=9', POD_NAME: 'b' },
      { 'k8s.pod.name': 'a', 'service.instance.id': 'i', 'host.name': 'h', 'service.version': '9' },
    ],
    [{ OTEL_SERVICE_NAME: '  ' }, { 'service.name': 'yarak' }],
  ])('%j has the last word', async (env, expected) => {
    expect(await attributes(env)).toMatchObject({ ...expected, told: [] })
  })

  it('tells of attributes that are no list', async () => {
    const all = await attributes({ OTEL_RESOURCE_ATTRIBUTES: 'team' })
    expect(all.told).toEqual(['OTEL_RESOURCE_ATTRIBUTES is no list like name=value,other=value: it is not used'])
    expect(all['service.name']).toBe('yarak')
  })

  it('is on every export', async () => {
    const { url, received } = await collector()
    const { tracing, stop } = await telemetry({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url, POD_NAME: 'yarak-0' })
    event(tracing)
    await stop()
    expect(received[0]?.resource).toMatchObject({ 'k8s.pod.name': 'yarak-0', 'host.name': hostname() })
  })
})
