/** Section 6 of the design as data: the spans of the rule `Contain`, each with its parent, kind, status and attributes. */
import { expect } from 'vitest'
import { CONTAIN, SECRET, TOPICS } from './_trace-stage.ts'
import type { SpanNode } from './otlp.ts'

/** One span, and those below it. */
export interface Row {
  readonly name: string
  readonly kind: SpanNode['kind']
  /** Its `error.type`; without one the status is not set. */
  readonly error?: unknown
  /** Those that it has at least. */
  readonly attributes: Readonly<Record<string, unknown>>
  /** Exactly these, in order. */
  readonly events?: readonly (readonly [name: string, attributes: Readonly<Record<string, unknown>>])[]
  /** Exactly these, but for calls of the cluster's API. */
  readonly below?: readonly Row[]
  /** Calls of the cluster's API that are below it at least. */
  readonly api?: readonly string[]
}

/** What is different from one response to the next. */
export interface About {
  readonly way: 'http' | 'kafka'
  readonly pod: { readonly name: string; readonly uid: string }
  readonly event: string
  readonly response: string
}

const text = expect.any(String) as unknown
const number = expect.any(Number) as unknown

/** The alert about a pod, as Falco writes it. */
export const alertAbout = (rule: string, pod: About['pod'], more: Readonly<Record<string, unknown>> = {}) => ({
  rule,
  priority: 'Notice',
  source: 'syscall',
  hostname: 'node-1',
  tags: ['container', 'shell'],
  time: new Date().toISOString(),
  output: `${rule} in ${pod.name}`,
  output_fields: {
    ...{ 'k8s.ns.name': 'shop', 'k8s.pod.name': pod.name, 'k8s.pod.uid': pod.uid },
    ...{ 'container.id': 'abcdef012345', 'container.name': 'main', 'container.image.repository': 'acme/main' },
    'proc.cmdline': SECRET,
    ...more,
  },
})

const WAYS = {
  http: {
    name: 'POST /',
    kind: 'server',
    attributes: {
      ...{ 'yarak.input': 'http', 'http.request.method': 'POST', 'http.route': '/' },
      ...{ 'http.response.status_code': 200, 'client.address': '127.0.0.1' },
    },
  },
  kafka: {
    name: `process ${TOPICS.falco}`,
    kind: 'consumer',
    attributes: {
      'yarak.input': 'kafka',
      'messaging.system': 'kafka',
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      'messaging.destination.name': TOPICS.falco,
      'messaging.destination.partition.id': '0',
      'messaging.consumer.group.name': 'yarak',
      'messaging.kafka.offset': number,
    },
  },
} as const

/** The whole trace, from the reception down. */
export const table = (about: About): Row => ({
  ...WAYS[about.way],
  attributes: {
    ...WAYS[about.way].attributes,
    'yarak.event.id': about.event,
    'yarak.matched': 1,
    'security_rule.name': CONTAIN,
    'falco.priority': 'Notice',
    'falco.source': 'syscall',
    'falco.hostname': 'node-1',
    'falco.tags': ['container', 'shell'],
  },
  below: [
    {
      name: 'match',
      kind: 'internal',
      attributes: { 'yarak.rules.evaluated': number, 'yarak.rules.matched': ['Contain'] },
    },
    toldWebhook(post(200)),
    TOLD_KAFKA,
    respond(about),
  ],
})

const respond = ({ response, pod }: About): Row => ({
  name: 'respond Contain',
  kind: 'internal',
  error: 'protected-node',
  attributes: {
    ...{ 'yarak.rule': 'Contain', 'yarak.response.id': response, 'yarak.mode': 'enforce', 'yarak.outcome': 'refused' },
    'yarak.generation': 1,
    ...{ 'k8s.namespace.name': 'shop', 'k8s.pod.name': pod.name, 'k8s.pod.uid': pod.uid },
    ...{ 'container.id': 'abcdef012345', 'container.name': 'main', 'container.image.name': 'acme/main' },
  },
  below: [
    onPod('mark', 'kubernetes:label', pod),
    {
      ...action('block', 'http:request', 'succeeded'),
      events: [allowed(), retry('POST', 503), allowed()],
      below: [post(503), post(200)],
    },
    {
      ...action('close', 'kubernetes:cordon', 'refused'),
      error: 'protected-node',
      events: [
        ['guard', { 'yarak.verdict': 'refused', 'yarak.reason': 'protected-node', 'yarak.subject': 'node/node-1' }],
      ],
      api: ['GET /api/v1/nodes/{name}'],
    },
    onPod('note', 'kubernetes:annotation', pod),
    { ...toldWebhook(post(503), post(200)), events: [retry('POST', 503)] },
    TOLD_KAFKA,
  ],
})

const action = (step: string, type: string, outcome: string): Row => ({
  name: `action ${type}`,
  kind: 'internal',
  attributes: {
    ...{ 'yarak.step': step, 'yarak.action': type, 'yarak.outcome': outcome, 'yarak.summary': text },
  },
})

/** A step that changes the pod; what it belongs to is told too. */
const onPod = (step: string, type: string, { name }: About['pod']): Row => {
  const { attributes, ...rest } = action(step, type, 'succeeded')
  const workload = { 'k8s.node.name': 'node-1', 'k8s.deployment.name': 'web', 'k8s.replicaset.name': text }
  return {
    ...rest,
    attributes: { ...attributes, ...workload },
    events: [allowed(`pod/shop/${name}`)],
    api: ['GET', 'PATCH'].map((method) => `${method} /api/v1/namespaces/{namespace}/pods/{name}`),
  }
}

const allowed = (subject?: string): NonNullable<Row['events']>[number] => [
  'guard',
  { 'yarak.verdict': 'allowed', ...(subject && { 'yarak.subject': subject }) },
]

const retry = (method: string, status: number): NonNullable<Row['events']>[number] => [
  'retry',
  {
    'yarak.attempt': 1,
    'yarak.reason': expect.stringMatching(
      new RegExp(`^${method} http://127\\.0\\.0\\.1:\\d+ answered ${status}`),
    ) as unknown,
  },
]

/** A request to the hook; its path may hold secrets, so that without a template only the method is told. */
const post = (status: number): Row => ({
  name: 'POST',
  kind: 'client',
  ...(status >= 300 && { error: String(status) }),
  attributes: {
    ...{ 'http.request.method': 'POST', 'http.response.status_code': status },
    ...{ 'server.address': '127.0.0.1', 'server.port': number },
  },
})

const toldWebhook = (...below: readonly Row[]): Row => ({
  name: 'notify webhook',
  kind: 'internal',
  attributes: { 'yarak.output': 'webhook', 'yarak.outcome': 'delivered' },
  below,
})

const TOLD_KAFKA: Row = {
  name: 'notify kafka',
  kind: 'producer',
  attributes: { 'yarak.output': 'kafka', 'yarak.outcome': 'delivered' },
  below: [
    {
      name: `send ${TOPICS.told}`,
      kind: 'client',
      attributes: {
        'messaging.system': 'kafka',
        'messaging.operation.type': 'send',
        'messaging.operation.name': 'send',
        'messaging.destination.name': TOPICS.told,
        'messaging.batch.message_count': 1,
      },
    },
  ],
}

/** A call of the cluster's API, which is named after its template. */
export const apiCall = (span: Pick<SpanNode, 'name'>): Row => {
  const [method = '', template = ''] = span.name.split(' ')
  return {
    name: span.name,
    kind: 'client',
    attributes: {
      ...{ 'http.request.method': method, 'http.response.status_code': 200, 'url.template': template },
      ...{ 'server.address': '127.0.0.1', 'server.port': number },
    },
  }
}

export const isApiCall = ({ name }: Pick<SpanNode, 'name'>): boolean => /^[A-Z]+ \/apis?\//.test(name)
