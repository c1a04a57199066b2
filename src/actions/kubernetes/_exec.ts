/** Commands in a container of the pod of an event: ended in time, and explained when they cannot be run. */
import { stripVTControlCharacters } from 'node:util'
import { type Result, type Step, YarakError } from '../../plugin.ts'
import { type Clients, type Cluster, type Exited, type ExecOutput, kubernetes } from '../../resources/kubernetes.ts'
import { capped, lastLine } from '../_text.ts'
import { containerOf } from './_exec-container.ts'
import { readPod } from './_read-pod.ts'
import { podOf, type PodSubject } from './resolve.ts'

/** Where a command runs. */
export interface Place {
  readonly cluster: Cluster
  readonly step: Pick<Step, 'call' | 'signal'>
  readonly pod: PodSubject
  readonly container: string
}

/** The container of the event in its pod, which is looked at once more: an exec carries no uid. */
export const placeOf = async (step: Step, wanted: string | undefined): Promise<Place> => {
  const pod = podOf(step)
  const cluster = await step.use(kubernetes)
  return { cluster, step, pod, container: containerOf(await readPod(cluster.as(step), pod), step, wanted) }
}

export interface Command {
  readonly argv: readonly string[]
  /** Its program is a shell that the settings do not name as a program. */
  readonly shell?: boolean
  readonly stdin?: string | undefined
  /** Milliseconds until it is ended. */
  readonly timeout: number
}

/**
 * Runs a command under the container's own `timeout`, since a command outlives the connection; where there is none it is
 * let go of in time instead.
 * @throws YarakError `timed_out`; `unknown` when it was let go of, or the connection was lost; `failed` with the reason
 * `no-shell` or `not-executable` when the container lacks the program; what reading throws
 */
export const runIn = async <T>(
  place: Place,
  command: Command,
  read: (output: ExecOutput) => Promise<T>,
): Promise<T> => {
  const { cluster, step } = place
  const limit = ['timeout', '-s', 'KILL', String(Math.max(1, Math.ceil(command.timeout / 1_000)))]
  const limited = { ...command, argv: [...limit, ...command.argv] }
  const started = performance.now()
  const begun = { value: false }
  try {
    return await start(cluster.as(step), place, limited, (output) => {
      begun.value = true
      return read(explained(output, place, command, started))
    })
  } catch (error) {
    if (begun.value || !isAbsent(error)) throw error
    return await runUnlimited(place, command, read)
  }
}

const runUnlimited = async <T>(
  place: Place,
  command: Command,
  read: (output: ExecOutput) => Promise<T>,
): Promise<T> => {
  const { cluster, step } = place
  const late = AbortSignal.timeout(command.timeout)
  const clients = cluster.as({ call: step.call, signal: AbortSignal.any([step.signal, late]) })
  try {
    return await start(clients, place, command, read)
  } catch (error) {
    if (isAbsent(error)) throw absent(place, command)
    throw late.aborted && !step.signal.aborted ? letGo(place, command) : error
  }
}

/** What could not be started is told before anything is read. */
const start = <T>(
  clients: Clients,
  { pod, container }: Place,
  { argv, stdin }: Command,
  read: (output: ExecOutput) => Promise<T>,
): Promise<T> => {
  const input = stdin === undefined ? undefined : Buffer.from(stdin)
  const request = { namespace: pod.namespace, pod: pod.name, container, command: argv, stdin: input }
  return clients.exec(request, async (output) => read(resumed(await output.next(), output)))
}

async function* resumed(first: IteratorResult<Uint8Array, Exited>, output: ExecOutput): ExecOutput {
  if (first.done) return first.value
  yield first.value
  return yield* output
}

/** What `timeout` itself says of the command: it could not be started, or had to be ended. */
async function* explained(output: ExecOutput, place: Place, command: Command, started: number): ExecOutput {
  const exited = yield* output
  if ([126, 127].includes(exited.code) && /^(?:\S*\/)?timeout: /.test(exited.stderr)) throw absent(place, command)
  const ended = exited.code === 137 || exited.code === 124
  if (!ended || performance.now() - started < command.timeout) return exited
  const message = `${nameOf(command)} was ended after ${command.timeout / 1_000} s`
  throw new YarakError('timed_out', message, { reason: 'timeout' })
}

const isAbsent = (error: unknown): boolean => error instanceof YarakError && error.reason === 'not-executable'

const OTHERWISE = 'kubernetes:debug brings its own programs'

const absent = ({ container }: Place, command: Command): YarakError =>
  new YarakError('failed', `container ${container} has no ${nameOf(command)} that runs; ${OTHERWISE}`, {
    permanent: true,
    reason: command.shell ? 'no-shell' : 'not-executable',
  })

const letGo = ({ container }: Place, command: Command): YarakError => {
  const message = `${nameOf(command)} was let go of after ${command.timeout / 1_000} s and may run on: container ${container} has no \`timeout\` to end it by; ${OTHERWISE}`
  return new YarakError('unknown', message, { permanent: true, reason: 'timeout' })
}

const nameOf = ({ argv }: Command): string => argv[0] ?? ''

/** Runs a command to its end; its output is that of the step. */
export const runForText = async (place: Place, command: Command, what: string): Promise<Result> => {
  const { pod, container } = place
  const output = await runIn(place, command, (stdout) => textOf(wholly(stdout, nameOf(command))))
  const text = stripVTControlCharacters(output)
  return {
    summary: `ran ${what} in container ${container} of pod ${pod.namespace}/${pod.name}`,
    objects: { pod: pod.name, namespace: pod.namespace, container },
    ...(text && { output: text }),
  }
}

const textOf = async (output: AsyncIterable<Uint8Array>): Promise<string> => {
  const kept = capped()
  for await (const chunk of output) kept.add(chunk)
  return kept.text()
}

/** The output of a command that is to succeed: it ends with an error unless the exit code is one of `good`. */
export async function* wholly(output: ExecOutput, name: string, good: readonly number[] = [0]) {
  const { code, stderr } = yield* output
  if (good.includes(code)) return
  const said = lastLine(stripVTControlCharacters(stderr))
  throw new YarakError('failed', `${name} exited with ${code}${said && `: ${said}`}`, { reason: `exit-${code}` })
}
