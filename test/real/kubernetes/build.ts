/**
 * The programs of a cluster, built from their Go modules: the API server, the controllers and the scheduler of
 * Kubernetes, the etcd that this Kubernetes is tested with, and kwok, which plays the nodes.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDir } from '../part.ts'
import { go, linkFlags, once, type Say } from '../tools.ts'
import { versions } from '../versions.ts'
import { buildKwok } from './kwok-source.ts'

const kubernetes = versions.kubernetes
const [major = '', minor = '', patch = ''] = kubernetes.split('.')

interface Program {
  readonly path: string
  readonly package: string
  readonly variables: Record<string, string>
}

/** Without these the server says v0.0.0, and a chart's `kubeVersion` refuses it. */
const version = {
  'k8s.io/component-base/version.gitVersion': `v${kubernetes}`,
  'k8s.io/component-base/version.gitMajor': major,
  'k8s.io/component-base/version.gitMinor': minor,
}

const ofKubernetes = (name: string): Program => ({
  path: join(cacheDir('go'), `${name}-${kubernetes}`),
  package: `k8s.io/kubernetes/cmd/${name}`,
  variables: version,
})

const built = {
  etcd: { path: join(cacheDir('go'), `etcd-${versions.etcd}`), package: 'go.etcd.io/etcd/server/v3', variables: {} },
  apiserver: ofKubernetes('kube-apiserver'),
  controllers: ofKubernetes('kube-controller-manager'),
  scheduler: ofKubernetes('kube-scheduler'),
} satisfies Record<string, Program>

const kwokDir = join(cacheDir('go'), `kwok-${versions.kwok}`)

/** Paths of the programs in the cache. */
export const programs = {
  etcd: built.etcd.path,
  apiserver: built.apiserver.path,
  controllers: built.controllers.path,
  scheduler: built.scheduler.path,
  kwok: join(kwokDir, 'kwok'),
  /** How kwok's authors let nodes and pods live, as one YAML file. */
  stages: join(kwokDir, 'stages.yaml'),
} as const

export const cached = (): readonly string[] => [...Object.values(built).map(({ path }) => path), kwokDir]

export const isCached = (): boolean => cached().every((path) => existsSync(path))

export const ensurePrograms = async (say: Say): Promise<void> => {
  const missing = Object.values(built).filter(({ path }) => !existsSync(path))
  if (missing.length > 0) await buildAll(missing, say)
  await buildKwok(kwokDir, say)
}

const buildAll = async (missing: readonly Program[], say: Say): Promise<void> => {
  const wrapper = join(cacheDir('go'), `kubernetes-${kubernetes}.module`)
  try {
    say(`kubernetes: getting the sources of Kubernetes ${kubernetes} and etcd ${versions.etcd}`)
    await writeWrapper(wrapper)
    for (const program of missing) await build(program, wrapper, say)
  } finally {
    rmSync(wrapper, { recursive: true, force: true })
  }
}

const build = (program: Program, wrapper: string, say: Say): Promise<void> =>
  once(program.path, async (unfinished) => {
    say(
      `kubernetes: building ${program.package}${program === built.apiserver ? ', which takes minutes the first time' : ''}`,
    )
    await go(
      ['build', '-trimpath', '-ldflags', linkFlags(program.variables), '-o', unfinished, program.package],
      wrapper,
    )
  })

/**
 * A module of ours that requires k8s.io/kubernetes. Kubernetes replaces its libraries by folders of its own repository,
 * which its published module does not hold; they are replaced by the libraries' releases of the same day.
 */
const writeWrapper = async (dir: string): Promise<void> => {
  const answer = await go(['mod', 'download', '-json', `k8s.io/kubernetes@v${kubernetes}`])
  const { GoMod } = JSON.parse(answer) as { GoMod: string }
  const mod = readFileSync(GoMod, 'utf8')
  const libraries = [...mod.matchAll(/^\s*(k8s\.io\/\S+) => \.\/staging/gm)].map(([, library = '']) => library)
  const lines = [
    'module yarak.test/kubernetes',
    ...(mod.match(/^(go|godebug) .*$/gm) ?? []),
    `require k8s.io/kubernetes v${kubernetes}`,
    `require go.etcd.io/etcd/server/v3 v${versions.etcd}`,
    ...libraries.map((library) => `replace ${library} => ${library} v0.${minor}.${patch}`),
  ]
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir)
  writeFileSync(join(dir, 'go.mod'), `${lines.join('\n')}\n`)
}
