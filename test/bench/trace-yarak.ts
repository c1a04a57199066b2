/**
 * A gateway that is handed events, with tracing or without: a round of them for each SIGUSR2, and then what they cost.
 * Arguments: the kind of events, what they need (a webhook's address, a kubeconfig, or -), where spans go (or -).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { webhook } from '../../outputs/webhook.ts'
import { label } from '../../src/actions/kubernetes/label.ts'
import { createGateway, type GatewayOptions } from '../../src/index.ts'
import { SILENT } from '../../src/options.ts'
import { kubernetes } from '../../src/resources/kubernetes.ts'
import { startTelemetry } from '../../src/telemetry/start.ts'
import { anAlert } from './events.ts'

const [kind = '', target = '', collector = ''] = process.argv.slice(2)

interface Kind {
  readonly options: GatewayOptions
  readonly events: number
  readonly alert: (n: number) => string
}

const KINDS: Readonly<Record<string, () => Kind>> = {
  unmatched: () => ({
    options: {
      rules: [{ name: 'never', match: { rules: ['No such rule'] }, steps: [label({ labels: { seen: 'true' } })] }],
    },
    events: 20_000,
    alert: anAlert,
  }),
  notify: () => ({
    options: { outputs: [{ output: webhook({ address: target }), concurrency: 8 }] },
    events: 4_000,
    alert: anAlert,
  }),
  action: () => ({
    options: {
      mode: 'enforce',
      guards: { breaker: false },
      resources: [kubernetes({ kubeconfig: target })],
      rules: [{ name: 'mark', match: {}, join: 0, steps: [label({ labels: { seen: '{{ uuid }}' } })] }],
    },
    events: 400,
    alert: (n) =>
      JSON.stringify({
        ...{ rule: 'Mark', uuid: `n${n}`, priority: 'Warning', time: new Date().toISOString(), output: 'x' },
        output_fields: { 'k8s.ns.name': 'bench', 'k8s.pod.name': `web-${n % 8}` },
      }),
  }),
}

/** Events in work at the same time. */
const AT_ONCE = 16

/** Milliseconds in which the last spans go out; without tracing it is waited as long. */
const FLUSH = 1_500

const made = KINDS[kind]?.()
if (!made) throw new Error(`there is no kind ${kind}`)
const env = collector === '-' ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: collector }
Object.assign(process.env, env)
const telemetry = await startTelemetry({ version: 'bench', env, log: SILENT })
const gateway = createGateway(made.options)
await gateway.start()
let sent = 0

const round = async (): Promise<number> => {
  const before = process.cpuUsage()
  const end = sent + made.events
  const worker = async (): Promise<void> => {
    while (sent < end) {
      const { done } = await gateway.emit(made.alert(sent++))
      const [report] = await done
      if (report && report.outcome !== 'succeeded') throw new Error(JSON.stringify(report))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  await sleep(FLUSH)
  const { user, system } = process.cpuUsage(before)
  return made.events / ((user + system) / 1e6)
}

const say = (line: object): void => console.log(JSON.stringify(line))
process.on('SIGUSR2', () => void round().then((rate) => say({ bench: 'round', rate })))
process.once('SIGTERM', () => {
  void gateway
    .stop({ deadline: 1_000 })
    .then(() => telemetry.stop(1_000))
    .then(() => {
      say({ bench: 'ended' })
      process.exit(0)
    })
})
// nothing else keeps the process
setInterval(() => {}, 60_000)
say({ bench: 'ready' })
