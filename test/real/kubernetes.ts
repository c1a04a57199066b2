/** A Kubernetes cluster: real etcd, API server, controllers and scheduler, and nodes played by kwok. */
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import type { Cluster } from './kubernetes/cluster.ts'
import { cached, ensurePrograms, isCached, programs } from './kubernetes/build.ts'
import { apiserverFlags, controllersFlags, etcdFlags, kwokFlags, schedulerFlags } from './kubernetes/flags.ts'
import { killCommands, podFiles, reducedEnv, writeKwokConfig, type PodFiles } from './kubernetes/kwok.ts'
import { makePki, writeKubeconfig, type Pki } from './kubernetes/pki.ts'
import { launch, type Launch } from './launch.ts'
import { locked } from './lock.ts'
import { cacheDir, freePort, type Part, type Running } from './part.ts'
import { lacking, type Say } from './tools.ts'
import { versions } from './versions.ts'

export interface KubernetesOptions {
  /** Names of the nodes to begin with; one when left out. */
  readonly nodes?: readonly string[]
  /** Whether to apply the definitions in `kubernetes/crds/`; they are when left out. */
  readonly crds?: boolean
}

export interface KubernetesAddresses {
  readonly server: string
  /** Kubeconfig of the cluster's administrator. */
  readonly kubeconfig: string
  /** Certificate of the authority, PEM file. */
  readonly ca: string
  /** Folder in which commands of `exec` run, whichever the pod. */
  readonly podFolder: string
}

export interface RunningKubernetes extends Running<KubernetesAddresses> {
  readonly cluster: Cluster
  readonly pods: PodFiles
}

interface Setting {
  readonly run: Launch
  readonly pki: Pki
  readonly server: string
}

/** True once the API server has done all that it does at its start. */
const isReady = async ({ pki, server }: Setting): Promise<true | undefined> => {
  const { admin } = pki
  const tls = { ca: readFileSync(pki.ca), cert: readFileSync(admin.cert), key: readFileSync(admin.key) }
  const status = await new Promise<number | undefined>((done, fail) => {
    request(`${server}/readyz`, { ...tls, timeout: 2_000 }, (response) => {
      response.resume()
      done(response.statusCode)
    })
      .once('timeout', () => fail(new Error('no answer')))
      .once('error', fail)
      .end()
  })
  return status === 200 || undefined
}

const startApiserver = async (run: Launch): Promise<Setting> => {
  const [etcdPort, peerPort, port] = [await freePort(), await freePort(), await freePort()]
  run.spawn(programs.etcd, etcdFlags(run.dir, etcdPort, peerPort), { name: 'etcd' })
  const pki = await makePki(run.dir)
  run.spawn(programs.apiserver, apiserverFlags({ pki, port, etcdPort }), { name: 'kube-apiserver' })
  const setting = { run, pki, server: `https://127.0.0.1:${port}` }
  await run.ready(() => isReady(setting), 60_000)
  return setting
}

const kubeconfig = ({ run, pki, server }: Setting, user: 'admin' | 'controllers' | 'scheduler'): string =>
  writeKubeconfig(join(run.dir, `${user}.kubeconfig`), { server, ca: pki.ca, user, credentials: pki[user] })

const startKwok = async (setting: Setting, admin: string): Promise<void> => {
  const { run, pki } = setting
  const own = join(import.meta.dirname, 'kubernetes', 'stages.yaml')
  const configs = [programs.stages, own, writeKwokConfig(run.dir)]
  const flags = kwokFlags({ pki, port: await freePort(), kubeconfig: admin, configs })
  const { child } = run.spawn(programs.kwok, flags, { name: 'kwok', env: reducedEnv(run.dir) })
  run.closing(async () => killCommands(child.pid))
}

const startControllers = (setting: Setting): void => {
  const { run, pki } = setting
  const name = 'kube-controller-manager'
  run.spawn(programs.controllers, controllersFlags(pki, kubeconfig(setting, 'controllers')), { name })
  run.spawn(programs.scheduler, schedulerFlags(kubeconfig(setting, 'scheduler')), { name: 'kube-scheduler' })
}

/** The client is loaded while the API server starts: it is large, and listing the parts needs none of it. */
const begin = async (run: Launch, options: KubernetesOptions): Promise<Omit<RunningKubernetes, 'stop'>> => {
  const pods = podFiles(run.dir)
  const [setting, client, { definitions }] = await Promise.all([
    startApiserver(run),
    import('./kubernetes/cluster.ts'),
    import('./kubernetes/crds.ts'),
  ])
  const admin = kubeconfig(setting, 'admin')
  startControllers(setting)
  await startKwok(setting, admin)
  const endpoint = { server: setting.server, ca: setting.pki.ca, kubeconfig: admin, dir: run.dir }
  const cluster = new client.Cluster(endpoint)
  await Promise.all([
    options.crds === false ? undefined : cluster.define(definitions()),
    cluster.accountReady('default', 'default'),
    ...(options.nodes ?? ['node-1']).map((name) => cluster.node(name)),
  ])
  return {
    addresses: { server: setting.server, kubeconfig: admin, ca: setting.pki.ca, podFolder: pods.root },
    cluster,
    pods,
  }
}

export const kubernetes = {
  name: 'kubernetes',
  version: versions.kubernetes,
  missing: () => lacking('openssl') ?? (isCached() ? undefined : lacking('go')),
  cached,
  ensure: (say: Say = () => undefined) => locked(join(cacheDir('go'), 'kubernetes.lock'), () => ensurePrograms(say)),
  async start(options: KubernetesOptions = {}): Promise<RunningKubernetes> {
    const { addresses, stop } = await launch('kubernetes', (run) => begin(run, options))
    return { ...addresses, stop }
  },
} satisfies Part<KubernetesAddresses, KubernetesOptions>
