/** Spyderbat. */
import {
  defineOutput,
  type Io,
  message,
  type Notice,
  PRIORITIES,
  type Priority,
  secret,
  toJson,
  YarakError,
  z,
} from '../src/plugin.ts'
import { alertId, type Level, levelOf, wholeText } from './_alerting.ts'
import { serverUrl } from './_settings.ts'
import { clip } from './_text.ts'
import { postTexts } from './_texts.ts'
import { under } from './_url.ts'

const config = z.strictObject({
  orgUid: z
    .string()
    .regex(/^[\w-]+$/, 'must be the uid of an organization')
    .describe('The uid of the organization.'),
  apiKey: secret().describe('An API key that has access to the organization.'),
  apiUrl: serverUrl()
    .default('https://api.spyderbat.com')
    .describe('Address of the API. Default `https://api.spyderbat.com`.'),
  source: z.string().min(1).max(32).default('falcosidekick').describe('Name of the source. Default falcosidekick.'),
  sourceDescription: z.string().max(256).default('').describe('Description of the source. Default none.'),
})

type Config = z.output<typeof config>

/** Of one request. */
const LIMITS = { count: 100, size: 1_000_000 }
/** UTF-16 units of the text, and of the command line. */
const MAX_TEXT = 30_000

const LEVELS: Readonly<Record<Priority, string>> = {
  Emergency: 'critical',
  Alert: 'high',
  Critical: 'critical',
  Error: 'high',
  Warning: 'medium',
  Notice: 'low',
  Informational: 'info',
  Debug: 'info',
}

const OF_REPORT: Readonly<Record<Level, string>> = {
  critical: 'critical',
  error: 'high',
  warning: 'medium',
  info: 'info',
  success: 'info',
}

// ── the record ──────────────────────────────────────────────────────────────────────────────────────────────────────

const numberOf = ({ event }: Notice, field: string): number | undefined => {
  const value = event.field(field)
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined
}

const secondsOf = (notice: Notice): number => {
  if (notice.report) return Math.floor(Date.parse(notice.report.startedAt) / 1_000)
  const nanoseconds = numberOf(notice, 'evt.time')
  return Math.floor(nanoseconds === undefined ? Date.parse(notice.event.time) / 1_000 : nanoseconds / 1e9)
}

const textOf = ({ event }: Notice, field: string): string => {
  const value = event.field(field)
  return typeof value === 'string' ? clip(value, MAX_TEXT) : ''
}

/** The time and the priority that Falco puts in front of an output. */
const START = new RegExp(`^\\S+: (?:${PRIORITIES.join('|')}) `, 'i')

const wordsOf = (notice: Notice): string[] => {
  const text = wholeText(notice)
  const words = notice.report ? `${message(notice).title}\n${text}` : text.replace(START, '')
  return clip(words, MAX_TEXT).split(notice.report ? /\s+/ : ' ')
}

const recordOf = (notice: Notice): string => {
  const { event, report } = notice
  return toJson({
    schema: 'falco_alert::1.0.0',
    id: report?.id ?? alertId(notice),
    monotonic_time: Math.round(performance.now() * 1e6),
    orc_time: Date.now() / 1_000,
    time: secondsOf(notice),
    pid: (numberOf(notice, 'proc.pid') ?? 0) | 0,
    level: report ? OF_REPORT[levelOf(notice)] : LEVELS[event.priority],
    msg: wordsOf(notice),
    args: textOf(notice, 'proc.cmdline'),
    container: textOf(notice, 'container.id'),
  })
}

// ── the source ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Makes the source that alerts are sent to, when there is none yet. */
const register = async (settings: Config, uid: string, io: Io): Promise<void> => {
  const { apiKey, source, sourceDescription } = settings
  const request = {
    url: under(settings.apiUrl, `/api/v1/org/${settings.orgUid}/source/`),
    template: '/api/v1/org/{org}/source/',
    headers: { authorization: `Bearer ${apiKey}` },
  }
  const isThere = async () => hasSource((await io.http({ ...request, method: 'GET' })).body, uid)
  if (await isThere()) return
  try {
    await io.http({ ...request, body: { name: source, description: sourceDescription, uid } })
  } catch (error) {
    if (!(await isThere())) throw error
  }
}

const hasSource = (answer: string, uid: string): boolean =>
  Object.values(parsed(answer)).some((one: { uid?: unknown } | null) => one?.uid === uid)

const parsed = (answer: string): object => {
  try {
    return Object(JSON.parse(answer)) as object
  } catch {
    throw new YarakError('failed', "Spyderbat's list of sources is no JSON: see apiUrl", { reason: 'bad-answer' })
  }
}

/**
 * Sends each notice as an alert of a source, which it makes when it opens, many in one request.
 *
 * Source: the `spyderbat` output of Falcosidekick 2.x (`outputs/spyderbat.go`).
 * @example spyderbat({ orgUid: 'aBcDeFgH', apiKey: '…' })
 */
export const spyderbat = defineOutput({
  type: 'spyderbat',
  summary: 'Sends the event to Spyderbat.',
  notes: `
The source has the uid \`falcosidekick_<orgUid>\`, as Falcosidekick makes it, and is made when it is not there. The report of a
response is an alert of its own, with the id of the response. Up to 100 alerts or 1 MB are one request, compressed; an
alert waits up to a second for others.

Differences from Falcosidekick: an alert without \`evt.time\` has the event's time, and one without \`proc.pid\` the pid 0,
where Falcosidekick sends neither; its id is the event's, the same for every try; of an output without time and priority
in front the first two words stay; a source that cannot be made is tried again with the next alert.
`.trim(),
  config,
  http: true,
  batch: LIMITS.count,
  linger: 1_000,
  async open(settings, io) {
    const uid = `falcosidekick_${settings.orgUid}`
    await register(settings, uid, io)
    return {
      send: (notices, signal) =>
        postTexts(notices.map(recordOf), LIMITS, (records) =>
          io.http(
            {
              url: under(settings.apiUrl, `/api/v1/org/${settings.orgUid}/source/${uid}/data/sb-agent`),
              template: '/api/v1/org/{org}/source/{source}/data/sb-agent',
              headers: { 'content-type': 'application/ndjson', authorization: `Bearer ${settings.apiKey}` },
              compression: 'gzip',
              body: `${records.join('\n')}\n`,
            },
            signal,
          ),
        ),
    }
  },
  example: { config: { orgUid: 'aBcDeFgH', apiKey: 'eyJhbGciOiJIUzI1NiJ9' } },
})
