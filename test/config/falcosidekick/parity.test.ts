/** Falcosidekick's YAML in, its requests out: what a gateway with that configuration sends is what Falcosidekick sent. */
import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { builtin } from '../../../src/builtin.ts'
import { loadFalcosidekick } from '../../../src/config/falcosidekick/index.ts'
import { createGateway, type FalcoEvent } from '../../../src/index.ts'
import { Recorder, type RecordedRequest } from '../../../src/testing/recorder.ts'
import { exact, falcosidekickSent, UUID } from '../../outputs/_falcosidekick.ts'

type Json = unknown
type Change = (value: Json, event: FalcoEvent) => Json

/** What differs on purpose: how the recorded value is changed, and ours, before they are compared. */
interface Difference {
  /** Why, one by one. */
  readonly why: readonly string[]
  readonly theirs?: Change
  readonly ours?: Change
  /** Events that are not compared here, as their text is escaped or cut; the tests of the outputs show how. */
  readonly without?: readonly string[]
}

const everywhere = (value: Json, change: (one: Json) => Json): Json => {
  const inner = Array.isArray(value)
    ? value.map((one) => everywhere(one, change))
    : typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, everywhere(one, change)]))
      : value
  return change(inner)
}

const isObject = (value: Json): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A number in its shortest form: `2.50` and `1e3` are read as doubles. */
const shortest: Change = (value) =>
  everywhere(value, (one) => {
    if (!isObject(one) || typeof one.number !== 'string' || Object.keys(one).length > 1) return one
    return /^-?\d+$/.test(one.number) ? one : { number: String(Number(one.number)) }
  })

const GO_TIME = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) ([+-]\d\d)(\d\d) (?:UTC|[+-]\d{4})/g

/** Go's form of a time as RFC 3339. */
const rfcTimes: Change = (value) =>
  everywhere(value, (one) =>
    typeof one === 'string'
      ? one.replaceAll(GO_TIME, (_, day, clock, hours, minutes) => {
          const zone = `${hours}:${minutes}`
          return `${day}T${clock}${zone === '+00:00' ? 'Z' : zone}`
        })
      : one,
  )

const nameOf = (one: Json): Json =>
  isObject(one)
    ? (one.title ?? one.name ?? one.field ?? (isObject(one.keyValue) ? one.keyValue.topLabel : undefined))
    : one

/** Without the fields of an event that are no text, which Falcosidekick does not show. */
const textsOnly: Change = (value, event) =>
  everywhere(value, (one) =>
    Array.isArray(one)
      ? one.filter((item) => {
          const name = nameOf(item)
          const key = Object.keys(event.fields).find(
            (field) => name === field || (typeof name === 'string' && name.startsWith(`${field}:`)),
          )
          return key === undefined || typeof event.fields[key] === 'string'
        })
      : one,
  )

/** Without the escapes that keep markup of an event from being any. */
const unescaped: Change = (value) =>
  everywhere(value, (one) => (typeof one === 'string' ? one.replaceAll(/\\([_*`~|<>#[\]()-])/g, '$1') : one))

const both =
  (...changes: readonly Change[]): Change =>
  (value, event) =>
    changes.reduce((left, change) => change(left, event), value)

const without =
  (...keys: readonly string[]): Change =>
  (value) =>
    everywhere(value, (one) =>
      isObject(one) ? Object.fromEntries(Object.entries(one).filter(([key]) => !keys.includes(key))) : one,
    )

const alone: Change = (value) => (Array.isArray(value) && value.length === 1 ? value[0] : value)

const MARKUP = ['markup']

const CHAT: Difference = {
  why: ['fields that are no text are shown', 'times are RFC 3339', 'markup of an event is escaped'],
  theirs: rfcTimes,
  ours: both(unescaped, textsOnly),
  without: MARKUP,
}

const ESCAPED = 'markup of an event is escaped'

/** What Go prints for a field that is not there. */
const noValue: Change = (value) =>
  everywhere(value, (one) => (typeof one === 'string' ? one.replaceAll('<no value>', '') : one))

const FORMAT: Difference = {
  why: [ESCAPED, 'what is not there is empty in a template'],
  theirs: both(rfcTimes, noValue),
  ours: both(unescaped, textsOnly),
  without: MARKUP,
}

/** Events that stand in a text, as values: the order of their members is free. */
const inner: Change = (value) =>
  everywhere(value, (one) => (typeof one === 'string' && one.startsWith('{"uuid"') ? parsed(one) : one))

/** The same in base64, without the id, which Falcosidekick makes up. */
const decoded: Change = (value) =>
  everywhere(value, (one) =>
    isObject(one) && typeof one.value === 'string'
      ? without('uuid')(parsed(Buffer.from(one.value, 'base64').toString()), undefined as never)
      : one,
  )

/** Details without fields that are no text. */
const textDetails: Change = (value, event) => {
  const others = Object.keys(event.fields).filter((key) => typeof event.fields[key] !== 'string')
  return without(...others.map((key) => key.replaceAll('.', '_')))(value, event)
}

/** By fixture. What is not here is the very same. */
const DIFFERENCES: Readonly<Record<string, Difference>> = {
  ...Object.fromEntries(
    'cliq googlechat mattermost rocketchat slack teams teams-facts'.split(' ').map((name) => [name, CHAT]),
  ),
  ...Object.fromEntries(
    'cliq-format googlechat-format mattermost-fields rocketchat-text slack-text'
      .split(' ')
      .map((name) => [name, FORMAT]),
  ),
  discord: {
    ...CHAT,
    why: [...CHAT.why, 'nobody is mentioned'],
    ours: both(unescaped, textsOnly, without('allowed_mentions')),
  },
  webex: { why: [ESCAPED, 'null is empty'], ours: unescaped, without: [...MARKUP, 'null', 'nested'] },
  webui: { why: ['recorded beside many other outputs'], theirs: without('outputs'), ours: without('outputs') },
  alertmanager: { why: ['an end has milliseconds'], theirs: without('endsAt'), ours: without('endsAt') },
  datadog: { why: ['fields that are no text are shown'], ours: textsOnly },
  datadoglogs: { why: ['many go in one request'], theirs: inner, ours: both(alone, inner) },
  dynatrace: { why: ['a time keeps its digits'], theirs: without('timestamp'), ours: without('timestamp') },
  grafanaoncall: { why: [ESCAPED], without: MARKUP },
  kafkarest: { why: ['the id that came along is kept'], theirs: decoded, ours: decoded },
  'kafkarest-v1': { why: ['the id that came along is kept'], theirs: decoded, ours: decoded },
  'loki-json': { why: [], theirs: inner, ours: inner },
  opsgenie: {
    why: ['fields that are no text are shown', 'reports go to the same alert'],
    ours: both(textDetails, without('alias')),
    without: MARKUP,
  },
  splunk: {
    why: ['the time of the event is told'],
    ours: (value) => (isObject(value) ? { ...value, time: undefined } : value),
  },
}

/** A configuration with one section, as text. */
const configOf = (section: string, config: object): string =>
  JSON.stringify(section.split('.').reduceRight<object>((inner, key) => ({ [key]: inner }), config))

const ANSWER = { body: { errors: false, items: [{ create: { status: 201 } }], status: 'success' } }

/** What a gateway with Falcosidekick's configuration sends for events, one after another. */
const sentBy = async (section: string, config: object, events: readonly FalcoEvent[]): Promise<RecordedRequest[][]> => {
  const { options, problems } = loadFalcosidekick({
    file: 'config.yaml',
    text: configOf(section, config),
    env: {},
    plugins: builtin,
  })
  expect(problems).toEqual([])
  const recorder = new Recorder(ANSWER)
  const { outputs = [], enrich } = options ?? {}
  const fast = outputs.map((one) => ({ ...one, rate: { count: 1_000 }, batch: { count: 1 } }))
  const gateway = createGateway({ outputs: fast, ...(enrich && { enrich }), dispatcher: recorder })
  await gateway.start()
  const sent: RecordedRequest[][] = []
  for (const event of events) {
    const before = recorder.requests.length
    await (
      await gateway.emit({ ...event.toJSON(), uuid: UUID })
    ).done
    sent.push(recorder.requests.slice(before))
  }
  await gateway.stop({ deadline: 100 })
  return sent
}

const parsed = (text: string): Json => {
  try {
    return shortest(exact(text), undefined as never)
  } catch {
    return text
  }
}

/** Texts of events over 4,096 bytes are cut by Falcosidekick, and are whole here. */
const CUT = 'over 4,096 bytes'

/** Those with HTTP requests whose differences are more than a line: the tests of these outputs have them one by one. */
const ELSEWHERE =
  'gotify grafana influxdb pagerduty telegram spyderbat wavefront elasticsearch-bulk otlp smtp timescaledb'

const RECORDED = readdirSync('test/fixtures/falcosidekick')
  .filter((file) => file.endsWith('.json') && file !== 'events.json')
  .map((file) => file.replace(/\.json$/, ''))
  .filter((name) => name === 'grafanaoncall' || !ELSEWHERE.split(' ').some((other) => name.startsWith(other)))
  .filter((name) => /^(?:POST|PUT)$/.test(falcosidekickSent(name).exchanges[0]?.requests[0]?.method ?? ''))

const same: Change = (value) => value

describe('what Falcosidekick sent, from its own configuration', () => {
  it.each(RECORDED)('%s', async (name) => {
    const { section, config, exchanges } = falcosidekickSent(name)
    const { theirs = same, ours = same, without: left = [] } = DIFFERENCES[name] ?? {}
    const compared = exchanges.filter((one) => one.name !== CUT && !left.includes(one.name))
    expect(compared.length).toBeGreaterThanOrEqual(8)
    const sent = await sentBy(
      section,
      config,
      compared.map(({ notice }) => notice.event),
    )
    for (const [i, { name: event, notice, requests }] of compared.entries()) {
      const own = sent[i] ?? []
      expect(
        own.map(({ method }) => method),
        event,
      ).toEqual(requests.map(({ method }) => method))
      expect(
        own.map(({ body }) => ours(parsed(body), notice.event)),
        event,
      ).toEqual(requests.map(({ body }) => theirs(parsed(body), notice.event)))
    }
  })
})
