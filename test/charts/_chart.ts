/** The chart as Helm renders it, for tests. */
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'

export const ROOT = resolve(import.meta.dirname, '../..')
export const CHART = join(ROOT, 'charts/yarak')

interface PodSpec {
  readonly automountServiceAccountToken: boolean
  readonly terminationGracePeriodSeconds: number
  readonly securityContext: object
  readonly volumes: readonly object[]
  readonly containers: readonly {
    readonly image: string
    readonly securityContext: object
    readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: object }[]
    readonly readinessProbe: { readonly httpGet: { readonly port: string } }
  }[]
}

interface Spec extends PodSpec {
  readonly replicas?: number
  readonly secretName?: string
  readonly selector: Readonly<Record<string, string>>
  readonly volumeClaimTemplates?: readonly object[]
  readonly template: {
    readonly metadata: { readonly annotations: Readonly<Record<string, string>> }
    readonly spec: PodSpec
  }
}

/** As much of the configuration as tests look at. */
export interface Config {
  readonly mode: string
  readonly stopTimeout: string
  readonly listen: unknown
  readonly guards?: { readonly replicas: number }
  readonly outputs: { readonly slack: { readonly webhookUrl: string } }
  readonly resources: { readonly kubernetes: { readonly namespaces: readonly string[] } }
}

/** As much of an object as tests look at. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec: Spec
  readonly data?: Readonly<Record<string, string>>
  readonly rules?: readonly { apiGroups: string[]; resources: string[]; verbs: string[] }[]
}

/** What a command of Helm says of the release `yarak` in the namespace `security`, with these values; `dir` is for them. */
export const withValues =
  (tool: { helm(...args: string[]): Promise<string> }, dir: string) =>
  (command: readonly string[], values: object): Promise<string> => {
    const file = join(dir, 'values.yaml')
    writeFileSync(file, JSON.stringify(values))
    return tool.helm(...command, 'yarak', CHART, '--namespace', 'security', '-f', file)
  }

export const manifestsIn = (rendered: string): Manifest[] =>
  parseAllDocuments(rendered).flatMap((one) => (one.toJSON() as Manifest | null) ?? [])

/** The only one of a kind. */
export const only = (manifests: readonly Manifest[], kind: string, name = ''): Manifest => {
  const [found, ...more] = manifests.filter((one) => one.kind === kind && (!name || one.metadata.name === name))
  if (!found || more.length > 0) throw new Error(`${more.length + Number(!!found)} ${kind} ${name}`)
  return found
}

export const workload = (manifests: readonly Manifest[]): Manifest => {
  const found = manifests.find(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment')
  if (!found) throw new Error('no workload')
  return found
}

/** The configuration in the Secret. */
export const configText = (manifests: readonly Manifest[]): string => {
  const secret = manifests.find(({ kind, data }) => kind === 'Secret' && data?.['yarak.yaml'])
  return Buffer.from(secret?.data?.['yarak.yaml'] ?? '', 'base64').toString()
}

export const configIn = (manifests: readonly Manifest[]): Config => parse(configText(manifests)) as Config

/** What is granted, as `verb group/resource`, sorted; with `@own` what is granted in the namespace of the release. */
export const granted = (manifests: readonly Manifest[]): string[] =>
  manifests
    .filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role')
    .flatMap(({ metadata, rules = [] }) => {
      const own = metadata.name.endsWith('-own') ? '@own' : ''
      return rules.flatMap(({ apiGroups, resources, verbs }) =>
        verbs.map((verb) => `${verb} ${apiGroups[0]}/${resources[0]}${own}`),
      )
    })
    .sort()
