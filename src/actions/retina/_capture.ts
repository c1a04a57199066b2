/** A Capture of Retina: what is asked of it, and how it went. */
import { setTimeout } from 'node:timers/promises'
import { type FalcoEvent, YarakError } from '../../plugin.ts'
import type { Clients } from '../../resources/kubernetes.ts'
import { remoteIp } from '../kubernetes/_remote.ts'

export const API_VERSION = 'retina.sh/v1alpha1'

/** What of a Capture is read. */
export interface Capture {
  readonly metadata?: { readonly name?: string; readonly labels?: Readonly<Record<string, string>> }
  readonly status?: {
    readonly conditions?: readonly Condition[]
    readonly succeeded?: number
    readonly failed?: number
  }
}

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
}

/**
 * Only what goes to and from the event's remote address, and its port where there is one.
 * @throws YarakError `refused` with the reason `no-remote-ip`
 */
export const remoteFilter = (event: FalcoEvent): string => {
  const host = `host ${remoteIp(event)}`
  const port = Number(event.field('fd.rport'))
  return Number.isInteger(port) && port > 0 && port < 65_536 ? `${host} and port ${port}` : host
}

const MIB = 1024 * 1024

interface Options {
  readonly pod: string
  /** Milliseconds. */
  readonly duration: number
  /** Bytes. */
  readonly maxSize: number
  readonly packetSize: number | undefined
  readonly filter: string | undefined
  readonly output: object
  readonly cleanUp: boolean
}

/** @see https://retina.sh/docs/Captures/crd */
export const captureSpec = ({ pod, duration, maxSize, packetSize, filter, output, cleanUp }: Options) => ({
  captureConfiguration: {
    captureTarget: { podNames: [pod] },
    captureOption: {
      duration: `${duration / 1_000}s`,
      maxCaptureSize: Math.ceil(maxSize / MIB),
      ...(packetSize !== undefined && { packetSize }),
      ...(filter !== undefined && { pcapFilter: filter }),
    },
  },
  outputConfiguration: output,
  ...(cleanUp && { cleanUpAfterUpload: true }),
})

/** Milliseconds between two looks: at first, and at most. */
const PAUSE = 1_000
const LONGEST = 5_000

/**
 * Waits until a Capture has ended well. A look that fails for now is taken again.
 * @throws YarakError `failed` with the reason `capture-failed`, or with `capture-removed` when it is not there any more
 */
export const captured = async (read: () => Promise<Capture>, name: string, signal: AbortSignal): Promise<Capture> => {
  for (let pause = PAUSE; ; pause = Math.min(pause * 1.5, LONGEST)) {
    const capture = await read().catch(unlessForNow)
    if (capture && isComplete(capture, name)) return capture
    await setTimeout(pause, undefined, { signal })
  }
}

const unlessForNow = (error: unknown): undefined => {
  if (!(error instanceof YarakError)) throw error
  if (error.code === 'gone') throw failed('capture-removed', `${error.message}: it was removed before it ended`)
  if (error.permanent || error.code === 'interrupted') throw error
}

const isComplete = (capture: Capture, name: string): boolean => {
  const problem = holding(capture, 'error')
  if (problem) throw failed('capture-failed', `capture ${name} failed: ${problem.message || problem.reason}`)
  return holding(capture, 'complete') !== undefined
}

const holding = ({ status }: Capture, type: string): Condition | undefined =>
  status?.conditions?.find((one) => one.type.toLowerCase() === type && one.status === 'True')

const failed = (reason: string, message: string): YarakError =>
  new YarakError('failed', message, { permanent: true, reason })

/** The answer, or undefined where the Capture is there already. */
export const createOnce = async (
  { send }: Clients,
  request: Omit<Parameters<Clients['send']>[0], 'method'>,
): Promise<boolean> => {
  try {
    await send({ method: 'POST', ...request })
    return true
  } catch (error) {
    if (error instanceof YarakError && error.reason === 'already-exists') return false
    throw error
  }
}
