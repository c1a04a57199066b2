/** The cards of Microsoft Teams. Pure. */
import { message, type Message, type Notice, type Priority } from '../src/plugin.ts'
import { type FieldLimits, fieldsOf, fit, fitFields, jsonBytes, keepingLink, markdown, textOf } from './_chat.ts'

/** What a card shows. */
export interface CardSettings {
  readonly activityTitle: string
  readonly activityImage?: string | undefined
  readonly outputFormat: 'all' | 'text' | 'facts'
}

/** Bytes. Together below the 28 KB that a message may have, with the JSON around each of the facts. */
const MAX_TEXT = 8_000
const MAX_SUMMARY = 1_000
const FACTS: FieldLimits = { count: 80, name: 300, value: 2_000, total: 12_000, sizeOf: jsonBytes }
const ORDER = ['rule', 'priority', 'source', 'hostname', '*', 'tags']

/** The colours of Falcosidekick's message cards. */
const COLOURS: Readonly<Record<Priority, string>> = {
  Emergency: 'e20b0b',
  Alert: 'ff5400',
  Critical: 'ff9000',
  Error: 'ffc700',
  Warning: 'ffff00',
  Notice: '5bffb5',
  Informational: '68c2ff',
  Debug: 'ccfff2',
}

const escaped = (text: string, max = MAX_TEXT): string => fit(text, max, markdown, jsonBytes)

interface Parts {
  readonly shown: Message
  /** Escaped; none when only facts are asked for. */
  readonly text: string | undefined
  readonly facts: readonly { readonly name: string; readonly value: string }[]
}

const partsOf = (notice: Notice, { outputFormat }: CardSettings): Parts => {
  const shown = message(notice)
  const facts = fitFields(fieldsOf(notice, ORDER), FACTS, keepingLink(notice, markdown))
  return {
    shown,
    text: outputFormat === 'facts' ? undefined : escaped(textOf(shown, outputFormat === 'text')),
    facts: outputFormat === 'text' ? [] : facts.map(({ name, value }) => ({ name, value })),
  }
}

const timeOf = ({ event, report }: Notice): string => report?.startedAt ?? event.time

/**
 * A message card, as Falcosidekick sends it.
 *
 * Source: `outputs/teams.go`; https://learn.microsoft.com/en-us/outlook/actionable-messages/message-card-reference
 */
export const messageCard = (notice: Notice, settings: CardSettings) => {
  const { shown, text, facts } = partsOf(notice, settings)
  const { activityTitle, activityImage } = settings
  const open = { '@type': 'OpenUri', name: 'Trace', targets: [{ os: 'default', uri: shown.traceUrl }] }
  return {
    '@type': 'MessageCard',
    summary: fit(notice.report || !shown.text ? shown.title : shown.text, MAX_SUMMARY, undefined, jsonBytes),
    themeColor: notice.report ? shown.colour.slice(1) : COLOURS[notice.event.priority],
    ...(notice.report && { title: escaped(shown.title, MAX_SUMMARY) }),
    sections: [
      {
        activityTitle,
        activitySubtitle: timeOf(notice),
        ...(activityImage && { activityImage }),
        text: text ?? '',
        ...(facts.length > 0 && { facts }),
      },
    ],
    ...(shown.traceUrl && { potentialAction: [open] }),
  }
}

/** What an adaptive card has in place of colours. */
const ATTENTION: Readonly<Record<Priority, string>> = {
  Emergency: 'attention',
  Alert: 'attention',
  Critical: 'attention',
  Error: 'attention',
  Warning: 'warning',
  Notice: 'accent',
  Informational: 'accent',
  Debug: 'default',
}

const styleOf = ({ event, report }: Notice): string => {
  if (!report) return ATTENTION[event.priority]
  if (report.outcome === 'succeeded' || report.outcome === 'gone') return 'good'
  return report.outcome === 'refused' || report.outcome === 'skipped' ? 'warning' : 'attention'
}

const textBlock = (text: string, more: object = {}) => ({ type: 'TextBlock', text, wrap: true, ...more })

/**
 * An adaptive card.
 *
 * Source: https://adaptivecards.io/explorer/AdaptiveCard.html; Markdown in text blocks and facts, no HTML:
 * https://learn.microsoft.com/en-us/microsoftteams/platform/task-modules-and-cards/cards/cards-format
 */
export const adaptiveCard = (notice: Notice, settings: CardSettings) => {
  const { shown, text, facts } = partsOf(notice, settings)
  const title = escaped(shown.title, MAX_SUMMARY)
  const { activityTitle, activityImage } = settings
  const line = `${markdown(activityTitle)} · ${timeOf(notice)}`
  return {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    msteams: { width: 'Full' },
    body: [
      {
        type: 'Container',
        style: styleOf(notice),
        bleed: true,
        items: [
          ...(activityImage ? [{ type: 'Image', url: activityImage, size: 'small' }] : []),
          textBlock(title, { weight: 'bolder', size: 'medium' }),
          textBlock(line, { isSubtle: true, spacing: 'none' }),
        ],
      },
      ...(text ? [textBlock(text)] : []),
      ...(facts.length > 0
        ? [{ type: 'FactSet', facts: facts.map(({ name, value }) => ({ title: name, value })) }]
        : []),
    ],
    ...(shown.traceUrl && { actions: [{ type: 'Action.OpenUrl', title: 'Trace', url: shown.traceUrl }] }),
  }
}
