/**
 * What a template in each leaf of the settings of `rows.ts` is taken for. A leaf that is new, or is treated in another
 * way, has to be written here.
 */

/** Leaves by what a template in them may give, names with spaces between. */
export interface Leaves {
  /** Any text, which arrives as it is. */
  readonly text?: string
  /** What is valid there: nothing that an attacker would write. */
  readonly checked?: string
  /** It may be none: refused when the settings are loaded. */
  readonly fixed?: string
}

/** For each action those of its rows, in order. */
export const LEAVES: Readonly<Record<string, readonly Leaves[]>> = {
  'aws:lambda': [
    {
      text: 'payload.deep.list.0 payload.pod',
      fixed: 'aws_lambda_alias_or_version aws_lambda_invocation_type aws_lambda_name region',
    },
    { text: 'context.node', fixed: 'aws_lambda_name' },
  ],
  'azure:function': [{ text: 'payload.pod', fixed: 'audience key url' }, { fixed: 'url' }],
  'calico:networkpolicy': [{ checked: 'allow_cidr.0 allow_namespaces.0 order ttl' }],
  'cilium:networkpolicy': [{ checked: 'allow_cidr.0 allow_namespaces.0 ttl' }],
  'evidence:save': [{}],
  'gcp:cloud-run': [{ text: 'payload.pod', fixed: 'audience url' }, { fixed: 'url' }],
  'gcp:function': [
    { text: 'payload.pod', checked: 'gcp_function_timeout', fixed: 'gcp_function_location gcp_function_name project' },
    { text: 'context.node', fixed: 'gcp_function_name' },
  ],
  'http:request': [
    {
      text: 'body.ip headers.x-rule url',
      checked: 'expect.0 timeout',
      fixed: 'method sign.algorithm sign.header sign.secret',
    },
    { text: 'body url' },
  ],
  'kafka:publish': [
    { text: 'headers.kind key value.pod', checked: 'acks compression', fixed: 'topic' },
    { text: 'value', fixed: 'topic' },
    { fixed: 'topic' },
  ],
  'kubernetes:annotation': [{ text: 'annotations.example.com/alert', checked: 'level ttl' }],
  'kubernetes:apply': [
    {
      text: 'manifest.data.rule manifest.metadata.annotations.example.com/a manifest.metadata.labels.a manifest.metadata.name',
      checked: 'force',
      fixed: 'manifest.apiVersion manifest.kind manifest.metadata.namespace',
    },
  ],
  'kubernetes:checkpoint': [{ checked: 'container' }],
  'kubernetes:cordon': [{ checked: 'ttl' }],
  'kubernetes:debug': [
    {
      text: 'command.1 command.2',
      checked: 'container max_size timeout',
      fixed: 'capabilities.0 changes command.0 image user',
    },
  ],
  'kubernetes:delete': [{ fixed: 'resources.0' }],
  'kubernetes:download': [
    { text: 'file', checked: 'archive container timeout', fixed: 'event_variables max_size' },
    { checked: 'file', fixed: 'event_variables' },
    { checked: 'archive file' },
  ],
  'kubernetes:drain': [
    {
      checked:
        'cordon grace_period_seconds ignore_daemonsets ignore_errors ignore_standalone_pods ignore_statefulsets max_wait_period min_healthy_replicas',
      fixed: 'excluded_namespaces.0 wait_period_excluded_namespaces.0',
    },
  ],
  'kubernetes:event': [{ text: 'note', checked: 'action reason type' }, {}],
  'kubernetes:evict': [
    {
      checked: 'grace_period_seconds ignore_daemonsets ignore_standalone_pods ignore_statefulsets min_healthy_replicas',
    },
  ],
  'kubernetes:exec': [
    { text: 'command.1 command.2 stdin', checked: 'container timeout', fixed: 'changes command.0 event_variables' },
    { text: 'args.0 stdin', checked: 'container timeout', fixed: 'changes command event_variables shell' },
    { fixed: 'command event_variables' },
  ],
  'kubernetes:isolate': [{ checked: 'dns enforcer strategy ttl' }],
  'kubernetes:label': [{ checked: 'labels.suspicious level ttl' }],
  'kubernetes:log': [{ checked: 'container max_size previous tail_lines' }],
  'kubernetes:networkpolicy': [{ checked: 'allow_cidr.0 allow_namespaces.0 ttl' }],
  'kubernetes:patch': [
    { text: 'patch.data.rule', checked: 'object.name type', fixed: 'object.apiVersion object.kind object.namespace' },
    { text: 'patch.0.value.rule', checked: 'patch.0.op type', fixed: 'patch.0.from patch.0.path' },
  ],
  'kubernetes:revoke-tokens': [{ fixed: 'allow_default scope' }],
  'kubernetes:rollout-restart': [{}],
  'kubernetes:scale': [{ checked: 'replicas ttl' }],
  'kubernetes:script': [
    { text: 'args.0 stdin', checked: 'container timeout', fixed: 'changes event_variables script shell' },
    { text: 'args.0', fixed: 'file' },
    { fixed: 'event_variables script' },
  ],
  'kubernetes:sysdig': [{ checked: 'buffer_size duration', fixed: 'image max_size scope' }],
  'kubernetes:tcpdump': [{ checked: 'duration snaplen', fixed: 'image max_size' }],
  'kubernetes:terminate': [
    {
      checked: 'grace_period_seconds ignore_daemonsets ignore_standalone_pods ignore_statefulsets min_healthy_replicas',
    },
  ],
  'kubernetes:terminate-container': [{ checked: 'container grace_period_seconds' }],
  'kubernetes:uncordon': [{ checked: 'ttl' }],
  'local:script': [{ text: 'command.1 command.2 env.RULE', checked: 'stdin timeout', fixed: 'changes command.0 cwd' }],
  log: [{ text: 'message', checked: 'level' }, {}],
  'retina:capture': [
    {
      checked: 'clean_up duration max_size packet_size remote',
      fixed:
        'filter output.blobUpload output.hostPath output.persistentVolumeClaim output.s3Upload.bucket output.s3Upload.endpoint output.s3Upload.path output.s3Upload.region output.s3Upload.secretName',
    },
    { checked: 'duration remote', fixed: 'output.hostPath' },
  ],
  'retina:observe': [{ checked: 'level max ttl' }],
}
