/** Opsgenie, by its Alert API. */
import { defineHttpOutput, message, type Notice, type Priority, secret, z } from '../src/plugin.ts'
import { type Level, levelOf, noTags, wholeText } from './_alerting.ts'
import { shrink } from './_shrink.ts'
import { clip } from './_text.ts'

const config = z.strictObject({
  apiKey: secret().describe('The key of an API integration.'),
  region: z.enum(['us', 'eu']).default('us').describe('Where the account is: us or eu. Default us.'),
  entity: z
    .string()
    .min(1)
    .max(512)
    .default('Yarak')
    .describe('What the alert is about, for your policies. Default Yarak.'),
})

type Config = z.output<typeof config>

const HOSTS: Readonly<Record<Config['region'], string>> = {
  us: 'https://api.opsgenie.com',
  eu: 'https://api.eu.opsgenie.com',
}

const PRIORITIES: Readonly<Record<Priority, string>> = {
  Emergency: 'P1',
  Alert: 'P1',
  Critical: 'P2',
  Error: 'P3',
  Warning: 'P4',
  Notice: 'P5',
  Informational: 'P5',
  Debug: 'P5',
}

const OF_REPORT: Readonly<Record<Level, string>> = {
  critical: 'P2',
  error: 'P3',
  warning: 'P4',
  info: 'P5',
  success: 'P5',
}

/** Characters that Opsgenie takes. */
const MAX_MESSAGE = 130
const MAX_ALIAS = 512
const MAX_DESCRIPTION = 15_000
const MAX_DETAILS = 8_000

/** What is cut from the message stands in the description. */
const textsOf = (notice: Notice) => {
  const { event, report } = notice
  const title = report ? message(notice).title : event.output
  const text = wholeText(notice)
  const isAllThere = text === title && noTags(title).length <= MAX_MESSAGE
  const description = report ? text : isAllThere ? event.rule : `${event.rule}\n\n${text}`
  return {
    message: clip(title, MAX_MESSAGE, noTags),
    description: clip(description, MAX_DESCRIPTION, noTags),
  }
}

/**
 * Every field as a text. Our own come first, so that they stay where details are cut, and last, so that no field of the
 * event takes their place.
 */
const detailsOf = (notice: Notice): Readonly<Record<string, string>> => {
  const shown = message(notice).fields.filter(({ name, isField }) => notice.report || isField || name !== 'time')
  const own = shown.filter(({ isField }) => !isField)
  const texts = [...own, ...shown, ...own].map(({ name, value }) => [name.replaceAll('.', '_'), noTags(value)] as const)
  const fitting = shrink(Object.fromEntries(texts), MAX_DETAILS)
  return Object.fromEntries(Object.entries(fitting).map(([name, value]) => [name, String(value)]))
}

/**
 * Makes an alert of each event, and one of each report of a response.
 *
 * Source: the `opsgenie` output of Falcosidekick 2.x (`outputs/opsgenie.go`); "Create alert" of Opsgenie's Alert API.
 * @example opsgenie({ apiKey: 'eb243592-faa2-4ba2-a551-1afdf565c889', region: 'eu' })
 */
export const opsgenie = defineHttpOutput({
  type: 'opsgenie',
  summary: 'Makes an alert at Opsgenie.',
  notes: `
The \`alias\` is the id of the event, so that a second try makes no second alert. The report of a response is an alert of its
own with the id of the response as its alias, and a priority by outcome: P3 when it failed, P4 when it was refused, else P5.

Opsgenie takes 130 characters of a message, 15,000 of a description, 8,000 of all details: what is over that is cut with a
mark, and the whole text stands in the description.

Differences from Falcosidekick: there is an \`alias\`; a message of over 130 characters, which Opsgenie refuses, is cut;
numbers, booleans and nested values are among the details; \`<\` is sent as \`&lt;\`, since Opsgenie shows HTML; the entity is
\`Yarak\`: set \`entity: Falcosidekick\` for the same.
`.trim(),
  config,
  request: (notice, { apiKey, region, entity }) => ({
    url: `${HOSTS[region]}/v2/alerts`,
    template: '/v2/alerts',
    headers: { authorization: `GenieKey ${apiKey}` },
    body: {
      ...textsOf(notice),
      alias: clip(notice.report?.id ?? notice.event.id, MAX_ALIAS),
      entity,
      details: detailsOf(notice),
      priority: notice.report ? OF_REPORT[levelOf(notice)] : PRIORITIES[notice.event.priority],
    },
  }),
  example: {
    config: { apiKey: 'eb243592-faa2-4ba2-a551-1afdf565c889' },
    sends: {
      url: 'https://api.opsgenie.com/v2/alerts',
      body: {
        message: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
        description: 'Terminal shell in container',
        alias: '019c13e6-8b3b-7000-8000-000000000001',
        entity: 'Yarak',
        details: {
          rule: 'Terminal shell in container',
          priority: 'Notice',
          source: 'syscall',
          hostname: 'node-1',
          tags: 'container, shell, mitre_execution',
          container_id: '4f8e0c1d2b3a',
          k8s_ns_name: 'default',
          k8s_pod_name: 'web-1',
          proc_cmdline: 'bash',
          proc_pid: '4711',
          user_name: 'root',
        },
        priority: 'P5',
      },
    },
  },
})
