/** Helm, the newest 4 and 3 and an older 3, to render the chart and to install it into a real cluster. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { locked } from './lock.ts'
import { cacheDir, runDir, forget, type Part, type Running } from './part.ts'
import { goInstall, lacking, run, type Say } from './tools.ts'
import { versions } from './versions.ts'

export interface HelmOptions {
  /** One of `helmVersions`; the newest when left out. */
  readonly version?: string
  /** Cluster to talk to; without one Helm can only render. */
  readonly kubeconfig?: string
}

export interface HelmAddresses {
  /** Path of the program. */
  readonly program: string
  readonly version: string
}

export interface RunningHelm extends Running<HelmAddresses> {
  /** Runs Helm with a home of its own and gives its output; throws with what it printed when it fails. */
  helm(...args: string[]): Promise<string>
}

/** Every version that the chart is tested with, the newest first. */
export const helmVersions: readonly string[] = [versions.helm, versions.helm3, versions.helm3Old]

const program = (version: string): string => join(cacheDir('go'), `helm-${version}`)

/** The version of Kubernetes that Helm 3 renders for without a cluster is set when it is released; Helm 4 knows it itself. */
const variables = (version: string): Record<string, string> => {
  const [line = ''] = version.split('.')
  const module = `helm.sh/helm/v${line}`
  const [major = '', minor = ''] = versions.kubernetes.split('.')
  const rendersFor = {
    [`${module}/pkg/chartutil.k8sVersionMajor`]: major,
    [`${module}/pkg/chartutil.k8sVersionMinor`]: minor,
  }
  return { [`${module}/internal/version.version`]: `v${version}`, ...(line === '3' ? rendersFor : {}) }
}

const ensure = async (version: string, say: Say): Promise<void> => {
  const path = program(version)
  if (existsSync(path)) return
  say(`helm: building Helm ${version}`)
  const [line = ''] = version.split('.')
  await goInstall(path, `helm.sh/helm/v${line}/cmd/helm@v${version}`, variables(version))
}

/** Helm keeps its settings, plugins and downloads in the run's folder, not in the home of whoever runs the tests. */
const environment = (dir: string, kubeconfig = join(dir, 'no-cluster')): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: dir,
  HELM_CACHE_HOME: join(dir, 'cache'),
  HELM_CONFIG_HOME: join(dir, 'config'),
  HELM_DATA_HOME: join(dir, 'data'),
  KUBECONFIG: kubeconfig,
})

export const helm = {
  name: 'helm',
  version: versions.helm,
  missing: () => (helmVersions.every((version) => existsSync(program(version))) ? undefined : lacking('go')),
  cached: () => helmVersions.map(program),
  ensure: (say: Say = () => undefined) =>
    locked(join(cacheDir('go'), 'helm.lock'), async () => {
      for (const version of helmVersions) await ensure(version, say)
    }),
  /** Helm is no server: this gives it a folder for one run, and `stop` removes that. */
  async start({ version = versions.helm, kubeconfig }: HelmOptions = {}): Promise<RunningHelm> {
    const dir = runDir('helm')
    const path = program(version)
    return {
      addresses: { program: path, version },
      helm: (...args) => run(path, args, { cwd: dir, env: environment(dir, kubeconfig) }),
      stop: async () => forget(dir),
    }
  },
} satisfies Part<HelmAddresses, HelmOptions>
