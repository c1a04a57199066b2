/**
 * The process that the chart starts, as the chart starts it: the command of the image, the variables, the files, the user
 * and the root that cannot be written are those of the manifest, and so is the account on a real API server. Only two
 * things are not: it shares the network of this machine, so that it listens on a loopback address of its own, and there is
 * no seccomp profile.
 */
import * as k8s from '@kubernetes/client-node'
import { randomInt } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, get, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { CHART, configIn, type Manifest, manifestsIn, only, workload } from '../charts/_chart.ts'
import { about } from '../kit.ts'
import { mountsOf, type Pod, probed, variablesOf } from './_kubelet.ts'
import type { Told } from './_replicas.ts'
import { helm } from './helm.ts'
import { image } from './image.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { type Running, until } from './part.ts'
import { sandbox, type SandboxAddresses } from './sandbox.ts'
import { describeParts, running } from './vitest.ts'

const namespace = 'security'
const SECRETS: Readonly<Record<string, Record<string, string>>> = {
  'yarak-falco': { FALCO_PATH: 'a-long-secret-path' },
}
/** An address of the loopback that nobody else has taken: the port is that of the chart. */
const host = `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(1, 255)}`

describeParts([sandbox, image, helm, kubernetes], () => {
  const made = running(image)
  const dir = mkdtempSync(join(tmpdir(), 'yarak-process-'))
  const waiting: ServerResponse[] = []
  let hold = false
  const server = createServer((_request, response) => void (hold ? waiting.push(response) : response.end('ok')))
  let kube: RunningKubernetes
  let manifests: Manifest[]
  let hooks: Manifest[]
  let pod: Pod
  let process: Running<SandboxAddresses>

  const container = () => pod.spec.containers[0] as k8s.V1Container
  const data: Pod['data'] = (kind, name) => {
    const given = manifests.find((one) => one.kind === kind && one.metadata.name === name)?.data
    if (!given) return SECRETS[name] ?? {}
    const text = (value: string) => (kind === 'Secret' ? Buffer.from(value, 'base64').toString() : value)
    return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, text(value)]))
  }

  /** Labels the pod, asks a server of the test, ends the pod. */
  const values = () => ({
    preset: 'both',
    config: {
      ...{ mode: 'enforce', listen: `${host}:2801` },
      inputs: { http: { secretPath: '${env:FALCO_PATH}' } },
      outputs: { stdout: { format: 'json', tell: 'responses' } },
    },
    rules: {
      files: {
        'mine.yaml': [
          {
            rule: 'Contain',
            match: { rules: ['Terminal shell in container'] },
            deadline: '60s',
            steps: [
              { action: 'kubernetes:label', id: 'mark', with: { labels: { suspicious: 'true' } } },
              {
                action: 'http:request',
                id: 'ask',
                with: { method: 'GET', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` },
              },
              { action: 'kubernetes:terminate', id: 'kill' },
            ],
            notify: ['stdout'],
          },
        ],
      },
    },
    envFrom: Object.keys(SECRETS).map((name) => ({ secretRef: { name } })),
  })

  /** The authorizer learns of a role a moment after it is made. */
  const mayEndPods = (): Promise<true> =>
    until('the rights of the account', async () => {
      const body: k8s.V1SubjectAccessReview = {
        spec: {
          user: `system:serviceaccount:${namespace}:${pod.spec.serviceAccountName}`,
          resourceAttributes: { namespace: 'shop', resource: 'pods', verb: 'delete' },
        },
      }
      const { status } = await kube.cluster.api(k8s.AuthorizationV1Api).createSubjectAccessReview({ body })
      return status?.allowed || undefined
    })

  /** A process as in the pod: by default what the manifest starts. */
  const begin = (command = container().command ?? made().command(container().args), offline = false) => {
    const { root, env, user, workdir } = made()
    const volumes = mountsOf(pod, container(), mkdtempSync(join(dir, 'volumes-')))
    return sandbox.start({
      mounts: [{ from: join(root, 'app'), to: '/app', readOnly: true }, ...volumes],
      env: variablesOf(pod, container(), env),
      ...{ command, user, workdir, offline },
    })
  }

  /** The same to its end. */
  const ran = async (command: string[]) => {
    const one = await begin(command)
    try {
      const { code } = await one.addresses.ended
      return { code, out: one.addresses.out(), err: one.addresses.err() }
    } finally {
      await one.stop()
    }
  }

  beforeAll(async () => {
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    kube = await kubernetes.start({ nodes: ['node-1'], crds: false })
    const { cluster, addresses } = kube
    await Promise.all([cluster.namespace(namespace), cluster.namespace('shop')])
    for (const [name, stringData] of Object.entries(SECRETS))
      await cluster.core.createNamespacedSecret({ namespace, body: { metadata: { name }, stringData } })
    const tool = await helm.start({ kubeconfig: addresses.kubeconfig })
    const file = join(dir, 'values.yaml')
    writeFileSync(file, stringify(values()))
    await tool.helm('install', 'yarak', CHART, '--namespace', namespace, '-f', file)
    manifests = manifestsIn(await tool.helm('get', 'manifest', 'yarak', '--namespace', namespace))
    hooks = manifestsIn(await tool.helm('get', 'hooks', 'yarak', '--namespace', namespace))
    await tool.stop()
    const { metadata, spec } = workload(manifests)
    const template = spec.template.spec as unknown as k8s.V1PodSpec
    const token = await cluster.token(namespace, template.serviceAccountName ?? '')
    const ca = readFileSync(addresses.ca, 'utf8')
    const name = `${metadata.name}-0`
    pod = { name, namespace, spec: template, data, cluster: { server: addresses.server, ca, token } }
    await mayEndPods()
    process = await begin()
  }, 300_000)
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.error(process?.addresses.err(), process?.addresses.out())
  })
  afterAll(async () => {
    await process?.stop()
    server.closeAllConnections()
    server.close()
    await kube?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  const post = async (name: string): Promise<void> => {
    const body = JSON.stringify(about(name))
    const { status } = await fetch(`http://${host}:2801/in/${SECRETS['yarak-falco']?.['FALCO_PATH']}`, {
      method: 'POST',
      body,
    })
    expect(status).toBe(200)
  }
  const told = (): Told[] =>
    process.addresses
      .out()
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as Told)
  const reported = (count: number) => until(`${count} reports`, async () => told()[count - 1]?.response, 60_000)
  const pods = async (): Promise<string[]> =>
    (await kube.cluster.core.listNamespacedPod({ namespace: 'shop' })).items.flatMap(
      ({ metadata }) => metadata?.name ?? [],
    )
  const whole = ['mark', 'ask', 'kill'].map((id) => ({ id, outcome: 'succeeded' }))

  it('comes up, and answers the probes of the manifest', async () => {
    await until('the startup probe', () => probed(container(), 'startupProbe', host), 60_000)
    expect(await probed(container(), 'livenessProbe', host)).toBe(true)
    await until('the readiness probe', () => probed(container(), 'readinessProbe', host))
  })

  it('is the user of the manifest, without capabilities and without a way to them', async () => {
    const { pid } = process.addresses
    const status = Object.fromEntries(
      readFileSync(`/proc/${pid}/status`, 'utf8')
        .split('\n')
        .map((line) => line.split(/:\s*/, 2)),
    ) as Record<string, string>
    const { runAsUser: uid, runAsGroup: gid } = pod.spec.securityContext ?? {}
    expect([made().user, container().securityContext]).toEqual([
      `${uid}:${gid}`,
      { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    ])
    expect(status).toMatchObject({ Uid: Array(4).fill(uid).join('\t'), Gid: Array(4).fill(gid).join('\t'), Groups: '' })
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) expect(status[set]).toMatch(/^0+$/)
    expect(status['NoNewPrivs']).toBe('1')
  })

  it('has the command of the image and the variables of the manifest, and no others', () => {
    const { pid } = process.addresses
    const words = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0').slice(0, -1)
    expect(words('cmdline')).toEqual(made().command(container().args))
    expect(Object.fromEntries(words('environ').map((one) => one.split(/=(.*)/s, 2)))).toMatchObject({
      POD_NAMESPACE: namespace,
      POD_NAME: 'yarak-0',
      FALCO_PATH: 'a-long-secret-path',
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
    })
    expect(words('environ')).toHaveLength(Object.keys(variablesOf(pod, container(), made().env)).length)
  })

  it('can write where the manifest mounts something to be written, and nowhere else', () => {
    const { root } = process.addresses
    for (const place of ['/', '/app', '/app/dist', '/etc', '/etc/yarak', '/etc/yarak/rules', '/var/lib', '/usr'])
      expect(() => writeFileSync(join(root, place, 'written'), ''), place).toThrow(/EROFS/)
    const writable = mountsOf(pod, container(), mkdtempSync(join(dir, 'again-'))).filter(({ readOnly }) => !readOnly)
    expect(writable.map(({ to }) => to).sort()).toEqual(['/tmp', '/var/lib/yarak'])
    expect(existsSync(join(root, 'var/lib/yarak/journal.db'))).toBe(true)
  })

  it('reads the configuration and the rules of the release', () => {
    const { root } = process.addresses
    const rules = data('ConfigMap', 'yarak-rules')['mine.yaml']
    expect(readFileSync(join(root, 'etc/yarak/rules/mine.yaml'), 'utf8')).toBe(rules)
    expect(configIn(manifests)).toMatchObject({ mode: 'enforce', rules: ['/etc/yarak/rules/mine.yaml'] })
  })

  it('passes what `helm test` asks, and may do what its rules need', async () => {
    const { command = [], args = [] } = only(hooks, 'Pod').spec.containers[0] as unknown as k8s.V1Container
    const asked = await ran(
      [...command, ...args].map((word) => word.replace('http://yarak:2801/', `http://${host}:2801/`)),
    )
    expect(asked).toMatchObject({ code: 0, err: '', out: expect.stringContaining('kubernetes') })
    const checked = await ran(made().command(['check', '--cluster', '--config', '/etc/yarak/yarak.yaml']))
    expect(checked).toMatchObject({ code: 0, err: '' })
  })

  it('needs no network to start', async () => {
    const { addresses, stop } = await begin(undefined, true)
    const socketPath = join(addresses.root, 'var/lib/yarak/admin.sock')
    const asked = () =>
      new Promise<number | undefined>((done, fail) => {
        get({ socketPath, path: '/readyz' }, (answer) => done(answer.resume().statusCode)).once('error', fail)
      })
    try {
      await until('it is ready', async () => (await asked()) === 200 || undefined)
    } finally {
      await stop()
    }
  })

  it('does a whole response on the cluster by its account', async () => {
    const [first] = await kube.cluster.deployment('web', { namespace: 'shop', replicas: 1 })
    const name = first?.metadata?.name ?? ''
    await post(name)
    expect(await reported(1)).toMatchObject({ outcome: 'succeeded', target: `pod/shop/${name}`, steps: whole })
    await until('another pod', async () => {
      const now = await pods()
      return (now.length === 1 && now[0] !== name) || undefined
    })
  })

  it('lets what runs finish at SIGTERM, and ends within the grace period', async () => {
    const [name = ''] = await pods()
    await kube.cluster.running(name, 'shop')
    hold = true
    await post(name)
    await until('the step in the middle', async () => waiting[0])
    const { metadata } = await kube.cluster.core.readNamespacedPod({ namespace: 'shop', name })
    expect(metadata?.labels).toMatchObject({ suspicious: 'true' })

    const { child, ended, err } = process.addresses
    child.kill('SIGTERM')
    const grace = pod.spec.terminationGracePeriodSeconds ?? 30
    expect(grace).toBe(90)
    const killer = setTimeout(() => child.kill('SIGKILL'), grace * 1_000)
    await until('the stop', async () => err().includes('"stopping"') || undefined)
    expect(err()).toContain(`"deadline_ms":${(grace - 15) * 1_000}`)
    await until('no more connections', () =>
      probed(container(), 'readinessProbe', host).then(
        () => undefined,
        () => true as const,
      ),
    )
    for (const response of waiting) response.end('ok')
    expect(await ended).toEqual({ code: 0, signal: null })
    clearTimeout(killer)
    expect(told()[1]?.response).toMatchObject({ outcome: 'succeeded', steps: whole })
    expect(await pods()).not.toContain(name)
  })
})
