/** Slack's Web API: an alert's message that is updated when its event was answered, with the steps in its thread. */
import { type Io, type Notice, type Sender, YarakError } from '../src/plugin.ts'

/** What a message says, as Slack takes it. */
export interface SlackBody {
  readonly channel?: string
  readonly text?: string
  readonly attachments: readonly { readonly title?: string; readonly title_link?: string; readonly color: string }[]
}

/** Where a message is. */
interface Place {
  readonly channel: string
  readonly ts: string
}

/** A message that was posted, with what its event does not tell. */
type Posted = Place & Pick<Notice, 'digest'>

type Call = (method: string, body: object, signal: AbortSignal) => Promise<Place>

/** Messages that are remembered, for reports to come. */
const REMEMBERED = 1_000

/** Errors that pass; https://docs.slack.dev/reference/methods/chat.postMessage#errors */
const PASSING: ReadonlySet<string> = new Set([
  'fatal_error',
  'internal_error',
  'rate_limited',
  'ratelimited',
  'request_timeout',
  'service_unavailable',
])

const TOKEN = 'check `token`'
const WHAT_TO_DO: Readonly<Record<string, string>> = {
  account_inactive: TOKEN,
  invalid_auth: TOKEN,
  not_authed: TOKEN,
  token_expired: TOKEN,
  token_revoked: TOKEN,
  channel_not_found: 'check `channel`; to a private channel the bot must be invited',
  is_archived: 'the channel is archived',
  missing_scope: 'the token needs the scope chat:write',
  not_in_channel: 'invite the bot to the channel, or give it the scope chat:write.public',
}

const asAnswer = (text: string): { ok?: unknown; error?: unknown; channel?: unknown; ts?: unknown } => {
  try {
    return (JSON.parse(text) as object | null) ?? {}
  } catch {
    return {}
  }
}

/** Slack answers 200 and tells in the body what went wrong. */
const placeOf = (method: string, text: string): Place => {
  const { ok, error, channel, ts } = asAnswer(text)
  if (ok === true && typeof channel === 'string' && typeof ts === 'string') return { channel, ts }
  const reason = typeof error === 'string' && /^\w{1,64}$/.test(error) ? error : 'bad_answer'
  const advice = WHAT_TO_DO[reason]
  throw new YarakError('failed', `Slack's ${method} answered ${reason}${advice ? `: ${advice}` : ''}`, {
    permanent: !PASSING.has(reason) && reason !== 'bad_answer',
    reason,
  })
}

const caller =
  (io: Io, token: string): Call =>
  async (method, body, signal) => {
    const headers = { authorization: `Bearer ${token}` }
    const request = { url: `https://slack.com/api/${method}`, template: `/api/${method}`, headers, body }
    return placeOf(method, (await io.http(request, signal)).body)
  }

/** The last messages by the id of their event; kept over a restart. */
const createMemory = (io: Io) => {
  let loaded: Map<string, Posted> | undefined
  const places = async (): Promise<Map<string, Posted>> => {
    const kept = loaded ? undefined : await io.state.get('messages')
    return (loaded ??= new Map(kept as [string, Posted][] | undefined))
  }
  return {
    find: async (event: string) => (await places()).get(event),
    /** A message that was posted is posted: that it is not kept makes its report a message of its own, later. */
    async remember(event: string, posted: Posted) {
      const all = await places()
      all.set(event, posted)
      for (const oldest of all.keys()) if (all.size > REMEMBERED) all.delete(oldest)
      await io.state.set('messages', [...all]).catch(() => io.log.warn('the messages in Slack cannot be remembered'))
    },
  }
}

/** Answers to an update of a message that is not there any more, or not to be changed. */
const NOT_TO_BE_UPDATED: ReadonlySet<string> = new Set([
  'cant_update_message',
  'edit_window_closed',
  'message_not_found',
])

/**
 * Posts by a bot's token.
 * @param bodyOf what a notice says
 *
 * Source: https://docs.slack.dev/reference/methods/chat.postMessage and chat.update
 */
export const botSender = (io: Io, token: string, bodyOf: (notice: Notice) => SlackBody): Sender => {
  const call = caller(io, token)
  const memory = createMemory(io)

  /** The update comes first: done twice it is the same, which is not so of the message in the thread. */
  const answer = async (notice: Notice, { channel, ts, ...alert }: Posted, signal: AbortSignal): Promise<void> => {
    const steps = bodyOf(notice)
    const { title, title_link, color } = steps.attachments[0] ?? {}
    const { report: _report, traceUrl: _traceUrl, ...of } = notice
    const { text, attachments } = bodyOf({ ...of, ...alert })
    const updated = attachments.map((one) => ({ ...one, title, title_link, color }))
    await call('chat.update', { channel, ts, ...(text && { text }), attachments: updated }, signal)
    await call('chat.postMessage', { ...steps, channel, thread_ts: ts }, signal)
  }

  const sendOne = async (notice: Notice, signal: AbortSignal): Promise<void> => {
    const alert = await memory.find(notice.event.id)
    try {
      if (notice.report && alert) return await answer(notice, alert, signal)
    } catch (error) {
      if (!(error instanceof YarakError && NOT_TO_BE_UPDATED.has(error.reason))) throw error
    }
    const posted = await call('chat.postMessage', bodyOf(notice), signal)
    const { event, report, digest } = notice
    if (!report) await memory.remember(event.id, { ...posted, ...(digest && { digest }) })
  }

  return {
    async send(notices, signal) {
      for (const notice of notices) await sendOne(notice, signal)
    },
  }
}
