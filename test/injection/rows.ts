/** For every action settings that work, between them with every setting that it has. */
import { join } from 'node:path'
import { cutText } from '../../src/log-plain.ts'
import { MAX_MESSAGE } from '../../src/log.ts'
import type { Fields } from './payloads.ts'
import { CONTAINER } from './cluster.ts'

export interface Row {
  readonly with: Readonly<Record<string, unknown>>
  /** Templates by the name of their leaf, where it is not the value of the event alone. */
  readonly templates?: Readonly<Record<string, string>>
  /** What becomes of a text in a leaf that does not arrive as it is; undefined: it is sent nowhere. */
  readonly becomes?: Readonly<Record<string, (text: string) => string | undefined>>
  /** Besides the usual ones. */
  readonly fields?: Fields
  /** It sends the event on, so what is in the event arrives. */
  readonly tells?: true
  /** Its target is what the audit log tells, whatever pod the event names besides. */
  readonly audited?: true
}

const ALLOWED = { allow_cidr: ['10.0.0.0/8'], allow_namespaces: ['dns'], ttl: '1h' }
const FUNCTION = 'https://secops.azurewebsites.net/api/quarantine'
const RUN = 'https://quarantine-abcdef-ew.a.run.app/falco'
const BLOCK = 'https://firewall.example.com/block'
const IMAGE = 'registry.example/ends:0'
const SPARING = {
  grace_period_seconds: 5,
  ignore_daemonsets: true,
  ignore_statefulsets: true,
  ignore_standalone_pods: true,
  min_healthy_replicas: '33%',
}
const NAME = { 'proc.name': 'seen.txt' }
const COMMAND = { container: 'web', timeout: '5s', changes: 'reversible', event_variables: false }

/** What is only compared with what there is. */
const nothing = (): undefined => undefined

/** Kubernetes expands `$(NAME)` in a command, unless it is written so. */
const unexpanded = (text: string): string => text.replaceAll('$(', '$$$$(')

/** A line of the log is cut where it is huge. */
const asLogged = (text: string): string => cutText(text, { left: MAX_MESSAGE })

/** One line of at most 1 KiB, with 41 bytes left for the trace. */
const asNote = (text: string): string =>
  Buffer.from(text.replaceAll(/\p{Cc}+/gu, ' ').trim())
    .subarray(0, 1024 - 41)
    .toString()

/** @param folder where commands run, with `dump.sh`, `script.sh` and `seen.txt` */
export const rowsIn = (folder: string): Readonly<Record<string, readonly Row[]>> => ({
  'aws:lambda': [
    {
      with: {
        ...{ aws_lambda_name: 'quarantine', aws_lambda_alias_or_version: 'live', region: 'eu-central-1' },
        ...{ aws_lambda_invocation_type: 'RequestResponse', payload: { pod: 'x', deep: { list: ['x'] } } },
      },
    },
    { with: { aws_lambda_name: 'quarantine', context: { node: 'x' } }, tells: true },
  ],
  'azure:function': [
    { with: { url: FUNCTION, key: 'hush', audience: 'api://secops', payload: { pod: 'x' } } },
    { with: { url: FUNCTION }, tells: true },
  ],
  'calico:networkpolicy': [{ with: { ...ALLOWED, order: 10 } }],
  'cilium:networkpolicy': [{ with: ALLOWED }],
  'evidence:save': [{ with: {}, tells: true }],
  'gcp:cloud-run': [{ with: { url: RUN, audience: RUN, payload: { pod: 'x' } } }, { with: { url: RUN }, tells: true }],
  'gcp:function': [
    {
      with: {
        ...{ gcp_function_name: 'quarantine', gcp_function_location: 'europe-west1', gcp_function_timeout: 30 },
        ...{ project: 'secops-1', payload: { pod: 'x' } },
      },
    },
    { with: { gcp_function_name: 'quarantine', context: { node: 'x' } }, tells: true },
  ],
  'http:request': [
    {
      with: {
        ...{ method: 'POST', url: `${BLOCK}/x`, headers: { 'x-rule': 'x' }, body: { ip: 'x' }, timeout: '10s' },
        ...{ sign: { secret: 'hush', header: 'x-sig', algorithm: 'sha256' }, expect: [200] },
      },
      templates: { url: `${BLOCK}/{{ proc.cmdline | url }}` },
    },
    { with: { url: `${BLOCK}/x`, body: 'x' }, templates: { url: `${BLOCK}/{{ proc.cmdline }}` } },
  ],
  'kafka:publish': [
    {
      with: {
        ...{ topic: 'quarantine', key: 'x', value: { pod: 'x' }, headers: { kind: 'x' } },
        ...{ acks: 'all', compression: 'none' },
      },
    },
    { with: { topic: 'quarantine', value: 'x' } },
    { with: { topic: 'quarantine' }, tells: true },
  ],
  'kubernetes:annotation': [{ with: { annotations: { 'example.com/alert': 'x' }, level: 'pod', ttl: '1h' } }],
  'kubernetes:apply': [
    {
      with: {
        manifest: {
          ...{ apiVersion: 'v1', kind: 'ConfigMap', data: { rule: 'x' } },
          metadata: {
            name: 'last-alert',
            namespace: 'shop',
            labels: { a: 'x' },
            annotations: { 'example.com/a': 'x' },
          },
        },
        force: false,
      },
    },
  ],
  'kubernetes:checkpoint': [{ with: { container: 'web' } }],
  'kubernetes:cordon': [{ with: { ttl: '1h' } }],
  'kubernetes:debug': [
    {
      with: {
        ...{ image: IMAGE, command: ['ls', '-l', 'x'], container: 'web', capabilities: ['SYS_PTRACE'], user: 0 },
        ...{ timeout: '5s', max_size: '1MiB', changes: 'reversible' },
      },
      becomes: { 'command.1': unexpanded, 'command.2': unexpanded },
    },
  ],
  'kubernetes:delete': [
    {
      with: { resources: ['configmaps'] },
      fields: { 'ka.target.resource': 'configmaps', 'ka.target.name': 'settings', 'ka.target.namespace': 'shop' },
      audited: true,
    },
  ],
  'kubernetes:download': [
    {
      with: {
        ...{ file: join(folder, 'seen.txt'), archive: false, container: 'web', max_size: '1MiB', timeout: '5s' },
        event_variables: false,
      },
      templates: { file: '/{{ proc.cmdline }}' },
      becomes: { file: (text) => `/${text}` },
    },
    { with: { file: join(folder, '$PROC_NAME'), event_variables: true }, fields: NAME },
    { with: { file: join(folder, 'seen.txt'), archive: true } },
  ],
  'kubernetes:drain': [
    {
      with: {
        ...{ ...SPARING, cordon: true, ignore_errors: false, max_wait_period: 0 },
        ...{ excluded_namespaces: ['kube-system'], wait_period_excluded_namespaces: ['shop'] },
      },
      becomes: { 'excluded_namespaces.0': nothing, 'wait_period_excluded_namespaces.0': nothing },
    },
  ],
  'kubernetes:event': [
    { with: { reason: 'Quarantined', action: 'Isolate', type: 'Warning', note: 'x' }, becomes: { note: asNote } },
    { with: {} },
  ],
  'kubernetes:evict': [{ with: SPARING }],
  'kubernetes:exec': [
    { with: { ...COMMAND, command: ['printf', '%s', 'x'], stdin: 'x' } },
    { with: { ...COMMAND, command: 'printf %s "$1"; cat', shell: '/bin/sh', args: ['x'], stdin: 'x' } },
    { with: { command: 'printf %s "$PROC_NAME"', event_variables: true }, fields: NAME },
  ],
  'kubernetes:isolate': [{ with: { dns: true, enforcer: 'kubernetes', strategy: 'relabel', ttl: '30m' } }],
  'kubernetes:label': [{ with: { labels: { suspicious: 'x' }, level: 'pod', ttl: '1h' } }],
  'kubernetes:log': [{ with: { tail_lines: 200, container: 'web', previous: false, max_size: '1MiB' } }],
  'kubernetes:networkpolicy': [{ with: ALLOWED }],
  'kubernetes:patch': [
    {
      with: {
        object: { apiVersion: 'v1', kind: 'ConfigMap', name: 'settings', namespace: 'shop' },
        ...{ type: 'merge', patch: { data: { rule: 'x' } } },
      },
    },
    {
      with: {
        type: 'json',
        patch: [{ op: 'add', path: '/metadata/annotations', from: '/metadata/labels', value: { rule: 'x' } }],
      },
    },
  ],
  'kubernetes:revoke-tokens': [{ with: { scope: 'serviceaccount', allow_default: false } }],
  'kubernetes:rollout-restart': [{ with: {} }],
  'kubernetes:scale': [{ with: { replicas: 2, ttl: '1h' } }],
  'kubernetes:script': [
    { with: { ...COMMAND, script: 'printf %s "$1"; cat', shell: '/bin/sh', args: ['x'], stdin: 'x' } },
    { with: { file: join(folder, 'script.sh'), args: ['x'] } },
    { with: { script: 'printf %s "$PROC_NAME"', event_variables: true }, fields: NAME },
  ],
  'kubernetes:sysdig': [{ with: { duration: '1s', buffer_size: 512, scope: 'pod', image: IMAGE, max_size: '1MiB' } }],
  'kubernetes:tcpdump': [{ with: { duration: '1s', snaplen: 256, image: IMAGE, max_size: '1MiB' } }],
  'kubernetes:terminate': [{ with: SPARING }],
  'kubernetes:terminate-container': [
    { with: { container: 'web', grace_period_seconds: 5 }, fields: { 'container.id': CONTAINER } },
  ],
  'kubernetes:uncordon': [{ with: { ttl: '1h' } }],
  'local:script': [
    {
      with: {
        ...{ command: [join(folder, 'dump.sh'), '--', 'x'], env: { RULE: 'x' }, stdin: 'event', cwd: folder },
        ...{ timeout: '5s', changes: 'reversible' },
      },
      tells: true,
    },
  ],
  log: [{ with: { message: 'x', level: 'info' }, becomes: { message: asLogged } }, { with: {} }],
  'retina:capture': [
    {
      with: {
        ...{ duration: '1s', max_size: '1MiB', packet_size: 96, remote: false, filter: 'tcp', clean_up: false },
        output: {
          ...{ hostPath: 'yarak', persistentVolumeClaim: 'captures', blobUpload: 'blob' },
          s3Upload: { bucket: 'b', secretName: 's', endpoint: 'https://s3.example', region: 'r', path: 'p' },
        },
      },
    },
    { with: { duration: '1s', remote: true, output: { hostPath: 'yarak' } }, fields: { 'fd.rip': '203.0.113.7' } },
  ],
  'retina:observe': [{ with: { level: 'pod', max: 20, ttl: '30m' } }],
})
