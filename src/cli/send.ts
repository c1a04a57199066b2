import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { request } from 'undici'
import { whyNot } from '../config/files.ts'
import { messageOf, YarakError } from '../errors.ts'
import { configOption } from './load.ts'
import { sendByOutput, type SendOutputFlags } from './send-output.ts'
import { Exit, plural, type Terminal } from './terminal.ts'

interface Flags extends Partial<SendOutputFlags> {
  readonly url: string
  readonly token?: string
}

export const sendCommand = (terminal: Terminal): Command =>
  new Command('send')
    .description('Post an event to a running gateway, or by one output: a file, - for standard input, or a sample.')
    .argument('[event.json]', 'one alert, a JSON array of alerts, or one alert a line')
    .option('--url <url>', 'where the gateway listens', 'http://127.0.0.1:2801/')
    .option('--token <token>', 'bearer token of the input; default the environment variable YARAK_TOKEN')
    .option('--output <id>', 'do not post it: tell this output of the configuration, once, without filters')
    .option('--dry-run', 'with --output: show what would be sent, secrets masked, and send nothing')
    .option('--report', 'with --output: tell of a response to the event')
    .addOption(configOption())
    .addHelpText(
      'after',
      `
Examples:
  yarak send                                          a sample: a shell in a container
  yarak send --output slack/secops --dry-run
  yarak send alert.json --output pagerduty --report
  yarak send alert.json --url http://gateway:2801/
  tail -n 100 /var/log/falco.jsonl | yarak send -
  YARAK_TOKEN=s3cret yarak send

Exits with 1 when the gateway cannot be reached or refuses any of them, or when the output does not take it.`,
    )
    .action(async (file: string | undefined, { url, token = terminal.env.YARAK_TOKEN, ...flags }: Flags) => {
      const body = file === undefined ? JSON.stringify(sample(new Date())) : read(file)
      const { output } = flags
      if (output !== undefined) return sendByOutput(body, { ...flags, output }, terminal)
      if (flags.dryRun || flags.report) throw new YarakError('config', '--dry-run and --report go with --output')
      tell(await post(url, body, token), terminal)
    })

const read = (file: string): string => {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    throw new YarakError('config', `cannot read ${file}: ${whyNot(error)}`)
  }
}

interface Answer {
  readonly status: number
  /** Of a single event that was accepted. */
  readonly id: string | undefined
  readonly body: string
}

/** Milliseconds to wait for the answer. */
const TIMEOUT = 30_000

const post = async (url: string, body: string, token: string | undefined): Promise<Answer> => {
  if (!/^https?:/.test(url) || !URL.canParse(url))
    throw new YarakError('config', `--url ${url}: must be an address such as http://127.0.0.1:2801/`)
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }
  try {
    const answer = await request(url, { method: 'POST', body, headers, signal: AbortSignal.timeout(TIMEOUT) })
    const id = answer.headers['yarak-event-id']
    return { status: answer.statusCode, id: typeof id === 'string' ? id : undefined, body: await answer.body.text() }
  } catch (error) {
    throw new YarakError('unavailable', `nothing answers at ${url}: ${messageOf(error)}; is the gateway running there?`)
  }
}

/** What the HTTP input answers: of a batch how many it accepted, of a failure what is wrong. */
interface Told {
  readonly accepted?: number
  readonly rejected?: readonly { readonly index: number; readonly message: string }[]
  readonly message?: string
}

const tell = ({ status, id, body }: Answer, terminal: Terminal): void => {
  if (id !== undefined) return terminal.out(`accepted ${id}\n`)
  const { accepted, rejected = [], message } = parse(body)
  if (accepted === undefined)
    throw new YarakError('failed', `the gateway answered ${status}: ${message ?? excerpt(body)}${hint(status)}`)
  if (accepted > 0) terminal.out(`accepted ${plural(accepted, 'event')}\n`)
  for (const one of rejected) terminal.err(`yarak: event ${one.index + 1} was refused: ${one.message}\n`)
  if (rejected.length > 0) throw new Exit(1)
}

const parse = (body: string): Told => {
  try {
    const told = JSON.parse(body) as Told | null
    return typeof told === 'object' && told !== null ? told : {}
  } catch {
    return {}
  }
}

/** Another server may answer there, with whatever it likes. */
const excerpt = (body: string): string =>
  body
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, 200) || 'not as a gateway does'

const hint = (status: number): string => {
  if (status === 401) return ' (give --token, or set YARAK_TOKEN)'
  return status === 404 || status === 405 ? ' (--url must have the path of the http input)' : ''
}

/** An alert as Falco's default rule emits it. */
export const sample = (now: Date) => ({
  hostname: 'laptop',
  output: `${now.toISOString().slice(11, 23)}: Notice A shell was spawned in a container with an attached terminal`,
  priority: 'Notice',
  rule: 'Terminal shell in container',
  source: 'syscall',
  tags: ['T1059', 'container', 'maturity_stable', 'mitre_execution', 'shell'],
  time: now.toISOString(),
  output_fields: {
    'container.id': '3ad7b26ded6d',
    'container.image.repository': 'docker.io/library/nginx',
    'container.image.tag': '1.27',
    'container.name': 'nginx',
    'evt.time': now.getTime() * 1_000_000,
    'evt.type': 'execve',
    'k8s.ns.name': 'default',
    'k8s.pod.name': 'web-5d9c7b6f4-x2x7k',
    'proc.cmdline': 'bash',
    'proc.name': 'bash',
    'proc.pname': 'runc',
    'proc.tty': 34816,
    'user.name': 'root',
    'user.uid': 0,
  },
})
