/** Where the cluster is and who we are there: a kubeconfig file, or the pod's own service account. */
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { isIPv6 } from 'node:net'
import type { KubeConfig } from '@kubernetes/client-node'
import { messageOf, YarakError } from '../plugin.ts'

/** What may be told about the place of the configuration. */
export interface Place {
  readonly kubeconfig?: string | undefined
  readonly context?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where a pod finds its service account. */
  readonly account?: string
}

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * Fills `config` from, in this order: the `kubeconfig` setting, the pod's service account, `KUBECONFIG`,
 * `~/.kube/config`.
 * @param make makes an empty configuration
 * @throws YarakError `config`, naming the file, never its content
 */
export const loadConfig = (make: () => KubeConfig, place: Place): KubeConfig => {
  const account = place.account ?? ACCOUNT
  const files = filesOf(place, account)
  const config = files.length > 0 ? loadFiles(make, files) : inCluster(make(), place.env, account)
  if (place.context !== undefined) config.setCurrentContext(place.context)
  checkCluster(config, files.join(delimiter))
  return config
}

const isInCluster = (env: Place['env'], account: string): boolean =>
  Boolean(env.KUBERNETES_SERVICE_HOST) && existsSync(join(account, 'token'))

/** The kubeconfig files to read; none inside a pod. */
const filesOf = ({ kubeconfig, env }: Place, account: string): readonly string[] => {
  if (kubeconfig !== undefined) return [fromHome(kubeconfig, env.HOME)]
  if (isInCluster(env, account)) return []
  const named = (env.KUBECONFIG ?? '').split(delimiter).filter(Boolean)
  if (named.length > 0) return named
  const usual = env.HOME ? join(env.HOME, '.kube', 'config') : ''
  if (usual && existsSync(usual)) return [usual]
  throw wrong(
    'there is no cluster to talk to: this is not a pod with a service account, and there is neither KUBECONFIG nor ~/.kube/config. Set resources.kubernetes.kubeconfig',
    'no-cluster',
  )
}

const fromHome = (file: string, home: string | undefined): string =>
  home && file.startsWith('~/') ? join(home, file.slice(2)) : file

const wrong = (message: string, reason = 'kubeconfig'): YarakError =>
  new YarakError('config', message, { permanent: true, reason })

/** As kubectl merges several files: the first that has a name, or a current context, wins. */
const loadFiles = (make: () => KubeConfig, files: readonly string[]): KubeConfig => {
  const all = files.map((file) => loadFile(make(), file))
  const merged = make()
  merged.loadFromOptions({
    clusters: firsts(all.flatMap((one) => one.getClusters())),
    users: firsts(all.flatMap((one) => one.getUsers())),
    contexts: firsts(all.flatMap((one) => one.getContexts())),
    currentContext: all.map((one) => one.getCurrentContext()).find(Boolean),
  })
  return merged
}

const firsts = <T extends { readonly name: string }>(items: readonly T[]): T[] =>
  items.filter((item, i) => items.findIndex(({ name }) => name === item.name) === i)

const loadFile = (config: KubeConfig, file: string): KubeConfig => {
  try {
    config.loadFromFile(file)
    return config
  } catch (error) {
    // A YAML error's message quotes the file, which holds credentials: only what is wrong is told.
    const { reason, mark } = error as { reason?: string; mark?: { line: number } }
    const what = reason === undefined ? messageOf(error) : `${reason}${mark ? ` in line ${mark.line + 1}` : ''}`
    throw wrong(`cannot read the kubeconfig ${file}: ${what}`)
  }
}

const inCluster = (config: KubeConfig, env: Place['env'], account: string): KubeConfig => {
  const host = env.KUBERNETES_SERVICE_HOST ?? ''
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${env.KUBERNETES_SERVICE_PORT ?? 443}`
  config.loadFromOptions({
    clusters: [{ name: 'in-cluster', server, caFile: join(account, 'ca.crt'), skipTLSVerify: false }],
    users: [{ name: 'in-cluster', authProvider: { name: 'tokenFile', config: { tokenFile: join(account, 'token') } } }],
    contexts: [{ name: 'in-cluster', cluster: 'in-cluster', user: 'in-cluster', ...namespaceIn(account) }],
    currentContext: 'in-cluster',
  })
  return config
}

const namespaceIn = (account: string): { namespace?: string } => {
  const file = join(account, 'namespace')
  return existsSync(file) ? { namespace: readFileSync(file, 'utf8').trim() } : {}
}

const checkCluster = (config: KubeConfig, file: string): void => {
  const context = config.getCurrentContext()
  const cluster = config.getContextObject(context) ? config.getCurrentCluster() : null
  if (!cluster) {
    const names = config.getContexts().map(({ name }) => name)
    const known = names.length > 0 ? `it has ${names.join(', ')}` : 'it has none'
    throw wrong(`the context ${JSON.stringify(context ?? '')} is not in ${file}, or names no cluster of it: ${known}`)
  }
  if (!URL.canParse(cluster.server)) {
    throw wrong(`the server of cluster ${JSON.stringify(cluster.name)} in ${file} is not a URL`)
  }
  if (cluster.server.startsWith('http:') && !cluster.skipTLSVerify) {
    throw wrong(
      `the server of cluster ${JSON.stringify(cluster.name)} is plain http: set insecure-skip-tls-verify: true on it in ${file} if that is meant`,
    )
  }
}
