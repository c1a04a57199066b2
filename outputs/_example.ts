/** What the examples of outputs that write the whole event send: the sample event of `src/testing.ts`. */

const ID = '019c13e6-8b3b-7000-8000-000000000001'

/** As `noticeName` names its object, in a URL. */
export const EXAMPLE_PATH = `2026-01-31/2026-01-31T12%3A00%3A00.123456789Z_${ID}.json`

export const EXAMPLE_BODY = {
  uuid: ID,
  output: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
  priority: 'Notice',
  rule: 'Terminal shell in container',
  time: '2026-01-31T12:00:00.123456789Z',
  output_fields: {
    'container.id': '4f8e0c1d2b3a',
    'k8s.ns.name': 'default',
    'k8s.pod.name': 'web-1',
    'proc.cmdline': 'bash',
    'proc.pid': 4711,
    'user.name': 'root',
  },
  source: 'syscall',
  tags: ['container', 'shell', 'mitre_execution'],
  hostname: 'node-1',
}

const SHOWN: Readonly<Record<string, string>> = {
  rule: EXAMPLE_BODY.rule,
  priority: EXAMPLE_BODY.priority,
  source: EXAMPLE_BODY.source,
  hostname: EXAMPLE_BODY.hostname,
  tags: EXAMPLE_BODY.tags.join(', '),
  time: EXAMPLE_BODY.time,
}

const FIELDS = Object.entries(EXAMPLE_BODY.output_fields).map(([title, value]) => ({
  title,
  value: String(value),
  short: true,
}))

/**
 * The attachment of chats that follow Slack.
 * @param order of what is told of the event; `fields` stands for its own fields
 * @param shown what is written in another way there
 */
export const exampleAttachment = (order: string, shown: Readonly<Record<string, string>> = {}) => ({
  fallback: EXAMPLE_BODY.output,
  color: '#5bffb5',
  text: EXAMPLE_BODY.output,
  fields: order
    .split(' ')
    .flatMap((title) =>
      title === 'fields' ? FIELDS : [{ title, value: shown[title] ?? SHOWN[title], short: title !== 'time' }],
    ),
})
