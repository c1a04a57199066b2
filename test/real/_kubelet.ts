/** What a kubelet does with a pod of the chart, apart from running it: volumes, variables, probes. */
import { chmodSync, chownSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { V1Container, V1EnvVar, V1PodSpec, V1Volume } from '@kubernetes/client-node'
import type { Mount } from './sandbox.ts'

/** Where a pod gets things from. */
export interface Pod {
  readonly name: string
  readonly namespace: string
  readonly spec: V1PodSpec
  /** Secrets and ConfigMaps, as text. */
  data(kind: 'Secret' | 'ConfigMap', name: string): Readonly<Record<string, string>>
  /** Under which names the cluster is reached, and by which token. */
  readonly cluster: { readonly server: string; readonly ca: string; readonly token: string }
}

/** Where every container with a token finds it. */
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The variables of the container over those of the image. */
export const variablesOf = (pod: Pod, container: V1Container, image: Readonly<Record<string, string>>) => {
  const { hostname, port } = new URL(pod.cluster.server)
  const env: Record<string, string> = {
    ...image,
    HOSTNAME: pod.name,
    KUBERNETES_SERVICE_HOST: hostname,
    KUBERNETES_SERVICE_PORT: port,
  }
  for (const { secretRef, configMapRef, prefix = '' } of container.envFrom ?? []) {
    const kind = secretRef ? 'Secret' : 'ConfigMap'
    const data = pod.data(kind, (secretRef ?? configMapRef)?.name ?? '')
    for (const [name, value] of Object.entries(data)) env[prefix + name] = value
  }
  for (const one of container.env ?? []) env[one.name] = valueOf(pod, one, env)
  return env
}

const valueOf = (pod: Pod, { value, valueFrom }: V1EnvVar, env: Readonly<Record<string, string>>): string => {
  const fields: Record<string, string> = { 'metadata.name': pod.name, 'metadata.namespace': pod.namespace }
  if (valueFrom?.fieldRef) return known(fields[valueFrom.fieldRef.fieldPath], valueFrom.fieldRef.fieldPath)
  const { name = '', key = '' } = valueFrom?.secretKeyRef ?? valueFrom?.configMapKeyRef ?? {}
  if (valueFrom) return known(pod.data(valueFrom.secretKeyRef ? 'Secret' : 'ConfigMap', name)[key], `${name}/${key}`)
  return (value ?? '').replaceAll(/\$\(([\w.-]+)\)/g, (all, variable: string) => env[variable] ?? all)
}

const known = (value: string | undefined, what: string): string => {
  if (value === undefined) throw new Error(`${what} is not there`)
  return value
}

/** The volumes of a container as folders below `dir`; the account's token too, where the pod is to have it. */
export const mountsOf = (pod: Pod, container: V1Container, dir: string): Mount[] => {
  const gid = pod.spec.securityContext?.fsGroup ?? 0
  const mounts = (container.volumeMounts ?? []).map(({ name, mountPath, readOnly = false }) => {
    const volume = pod.spec.volumes?.find((one) => one.name === name)
    const files = volume && filesOf(pod, volume)
    const from = files ? written(join(dir, name), files, gid) : emptied(join(dir, name), gid)
    return { from, to: mountPath, readOnly: readOnly || files !== undefined }
  })
  if (pod.spec.automountServiceAccountToken === false) return mounts
  const { ca, token } = pod.cluster
  const account = { token, 'ca.crt': ca, namespace: pod.namespace }
  return [...mounts, { from: written(join(dir, 'account'), account, gid), to: ACCOUNT, readOnly: true }]
}

/** Undefined for a volume that the pod may write: an emptyDir, or a claim (also one of a StatefulSet's own). */
const filesOf = (pod: Pod, { secret, configMap, projected }: V1Volume): Record<string, string> | undefined => {
  const sources = projected?.sources ?? []
  const all = [
    ...(secret ? [pod.data('Secret', secret.secretName ?? '')] : []),
    ...(configMap ? [pod.data('ConfigMap', configMap.name ?? '')] : []),
    ...sources.map((one) => {
      const data = pod.data(one.secret ? 'Secret' : 'ConfigMap', (one.secret ?? one.configMap)?.name ?? '')
      const { items } = one.secret ?? one.configMap ?? {}
      return items ? Object.fromEntries(items.map(({ key, path }) => [path, known(data[key], key)])) : data
    }),
  ]
  return all.length > 0 ? (Object.assign({}, ...all) as Record<string, string>) : undefined
}

const emptied = (dir: string, gid: number): string => {
  mkdirSync(dir, { recursive: true })
  chownSync(dir, 0, gid)
  chmodSync(dir, 0o2775)
  return dir
}

/** Files that only the group may read, behind the links by which a kubelet swaps all of them at once. */
const written = (dir: string, files: Readonly<Record<string, string>>, gid: number): string => {
  const version = join(dir, '..1')
  for (const [name, text] of Object.entries(files)) {
    const path = join(version, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    chownSync(path, 0, gid)
    chmodSync(path, 0o440)
  }
  symlinkSync('..1', join(dir, '..data'))
  for (const name of readdirSync(version)) symlinkSync(`..data/${name}`, join(dir, name))
  return dir
}

/** Asks as a probe does. */
export const probed = async (
  container: V1Container,
  kind: 'startupProbe' | 'livenessProbe' | 'readinessProbe',
  host: string,
): Promise<true | undefined> => {
  const { path = '/', port = '' } = container[kind]?.httpGet ?? {}
  const number = container.ports?.find(({ name }) => name === port)?.containerPort ?? Number(port)
  const timeout = (container[kind]?.timeoutSeconds ?? 1) * 1_000
  const answer = await fetch(`http://${host}:${number}${path}`, { signal: AbortSignal.timeout(timeout) })
  await answer.arrayBuffer()
  return answer.ok || undefined
}
