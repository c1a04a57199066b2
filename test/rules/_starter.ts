/** The rules that are shipped in config/rules, their cases, and the names of Falco's rules that they may answer. */
import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { parse } from 'yaml'
import { builtin } from '../../src/builtin.ts'
import { type LoadedConfig, loadConfig } from '../../src/config/index.ts'
import type { RuleInput } from '../../src/index.ts'

const FOLDER = 'config/rules'

/** Exceptions for all files. */
export const EXAMPLE = `${FOLDER}/example/exceptions.yaml`

/** The shipped files; the demo is no part of the set. */
export const FILES = globSync(`${FOLDER}/*.yaml`)
  .filter((file) => !file.endsWith('.test.yaml') && basename(file) !== 'demo.yaml')
  .sort()

/** Reads rules files as `yarak check` does. */
export const loadFiles = (
  files: readonly string[],
): Pick<LoadedConfig, 'problems'> & { rules: readonly RuleInput[] } => {
  const text = JSON.stringify({ version: 1, rules: files })
  const { options, problems } = loadConfig({ file: 'starter.yaml', text, env: {}, plugins: builtin })
  return { rules: options?.rules ?? [], problems }
}

/** An item of a rules file as it is written. */
export interface Written {
  readonly list?: string
  readonly macro?: string
  readonly condition?: string
}

export const itemsOf = (file: string): readonly Written[] => parse(readFileSync(file, 'utf8')) as readonly Written[]

/** A case of a `*.test.yaml`, as far as the shipped ones go. */
export interface Case {
  readonly name: string
  readonly event: Record<string, unknown> & { readonly rule: string }
  readonly expect: {
    readonly rules: readonly string[]
    readonly steps?: readonly {
      readonly id: string
      readonly outcome: string
      readonly with?: { readonly labels: Readonly<Record<string, string>> }
    }[]
    readonly refused?: readonly { readonly step: string; readonly reason: string }[]
  }
}

export interface CasePod {
  readonly namespace: string
  readonly name: string
  readonly node: string
  readonly labels: Readonly<Record<string, string>>
  readonly owners: readonly { readonly kind: string; readonly name: string }[]
}

/** What stands in a `*.test.yaml`. */
export interface Suite {
  readonly rules: readonly string[]
  /** What all of its cases happen in. */
  readonly cluster: { readonly pods: readonly CasePod[]; readonly nodes: readonly { readonly name: string }[] }
  readonly cases: readonly Case[]
}

/** The cases beside a rules file. */
export const suiteOf = (file: string): Suite =>
  parse(readFileSync(file.replace('.yaml', '.test.yaml'), 'utf8')) as Suite

/** All cases, each with the name of its file and its cluster. */
export const CASES = FILES.flatMap((path) => {
  const { cases, cluster } = suiteOf(path)
  return cases.map((one) => ({ ...one, cluster, file: basename(path) }))
})

/** The rules of falco_rules.yaml in falcosecurity/rules, all of which are stable. */
export const STABLE = [
  'Clear Log Activities',
  'Contact K8S API Server From Container',
  'Create Hardlink Over Sensitive Files',
  'Create Symlink Over Sensitive Files',
  'Debugfs Launched in Privileged Container',
  'Detect release_agent File Container Escapes',
  'Directory traversal monitored file read',
  'Disallowed SSH Connection Non Standard Port',
  'Drop and execute new binary in container',
  'Execution from /dev/shm',
  'Fileless execution via memfd_create',
  'Find AWS Credentials',
  'Linux Kernel Module Injection Detected',
  'Netcat Remote Code Execution in Container',
  'PTRACE anti-debug attempt',
  'PTRACE attached to process',
  'Packet socket created in container',
  'Read sensitive file trusted after startup',
  'Read sensitive file untrusted',
  'Redirect STDOUT/STDIN to Network Connection in Container',
  'Remove Bulk Data from Disk',
  'Run shell untrusted',
  'Search Private Keys or Passwords',
  'System user interactive',
  'Terminal shell in container',
]

/** Those of k8s_audit_rules.yaml in falcosecurity/plugins that tell of more than activity. */
export const AUDIT = [
  'Anonymous Request Allowed',
  'Attach to cluster-admin Role',
  'Attach/Exec Pod',
  'ClusterRole With Pod Exec Created',
  'ClusterRole With Wildcard Created',
  'ClusterRole With Write Privileges Created',
  'Create HostIPC Pod',
  'Create HostNetwork Pod',
  'Create HostPid Pod',
  'Create Privileged Pod',
  'Create Sensitive Mount Pod',
  'Create/Modify Configmap With Private Credentials',
  'EphemeralContainers Created',
  'Full K8s Administrative Access',
  'Pod Created in Kube Namespace',
  'Service Account Created in Kube Namespace',
  'System ClusterRole Modified/Deleted',
  'Untrusted Node Successfully Joined the Cluster',
  'Untrusted Node Unsuccessfully Tried to Join the Cluster',
  'port-forward',
]
