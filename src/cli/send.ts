import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { createHttpClient } from '../http.ts'
import type { CallContext } from '../plugin.ts'
import type { Terminal } from './terminal.ts'

interface Flags {
  readonly url: string
  readonly token?: string
}

export const sendCommand = (terminal: Terminal): Command =>
  new Command('send')
    .description('Post an event to a running gateway: a file, - for standard input, or a sample.')
    .argument('[event.json]', 'one alert, a JSON array of alerts, or one alert a line')
    .option('--url <url>', 'where the gateway listens', 'http://127.0.0.1:2801/')
    .option('--token <token>', 'bearer token of the input; default the environment variable YARAK_TOKEN')
    .action(async (file: string | undefined, { url, token = terminal.env.YARAK_TOKEN }: Flags) => {
      const body =
        file === undefined ? JSON.stringify(sample(new Date())) : readFileSync(file === '-' ? 0 : file, 'utf8')
      const client = createHttpClient()
      const send = client.bind((_span, fn) => fn(UNTRACED))
      try {
        const answer = await send({
          url,
          body,
          headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
        })
        const id = answer.headers['yarak-event-id']
        terminal.out(typeof id === 'string' ? `accepted ${id}\n` : `${answer.body}\n`)
      } finally {
        await client.close()
      }
    })

const UNTRACED: CallContext = { headers: {}, set: () => {} }

/** An alert as Falco's default rule emits it. */
const sample = (now: Date) => ({
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
