/** The journal's thread as seen from outside: one batch at a time, begun again when the thread dies. */
import { execArgv } from 'node:process'
import { Worker } from 'node:worker_threads'
import { messageOf, YarakError } from '../errors.ts'
import type { Answers, Batch, Failure, Reply, Space, WorkerSettings } from './protocol.ts'

type Opened = Extract<Reply, { type: 'opened' }>
type Done = Extract<Reply, { type: 'done' }>

export interface Thread {
  readonly first: Opened
  /**
   * Runs a batch; one at a time. A thread that died is started once more, and the batch is run again.
   * @throws YarakError `unavailable` when the disk fails, or the thread dies again
   */
  run(batch: Batch): Promise<{ readonly answers: Answers; readonly space: Space }>
  close(): Promise<void>
}

/** The worker beside this file, in whichever language this file is run. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)

/** Node 22 still calls SQLite experimental. */
const QUIET = '--disable-warning=ExperimentalWarning'

/**
 * Starts the thread, which opens the file.
 * @param onDeath told why the thread died, before it is started again
 * @throws YarakError `config` when the file is of a newer version, cannot be brought up to date, or may not be written; `unavailable` when the disk fails
 */
export const startThread = async (settings: WorkerSettings, onDeath: (reason: string) => void): Promise<Thread> => {
  let running = await open(settings)
  let deaths = 0
  return {
    first: running.first,
    async run(batch) {
      for (;;) {
        try {
          return (await running.ask(batch)) as Done
        } catch (error) {
          if (!(error instanceof Died) || ++deaths > 1) throw error
          onDeath(error.message)
          running = await open(settings)
        }
      }
    },
    close: () => running.close(),
  }
}

/** The thread ended without having been told to. */
class Died extends YarakError {
  constructor(reason: string) {
    super('unavailable', reason)
  }
}

interface Running {
  readonly first: Opened
  ask(batch: Batch): Promise<Reply>
  close(): Promise<void>
}

const open = async (settings: WorkerSettings): Promise<Running> => {
  const worker = new Worker(WORKER, { workerData: settings, execArgv: [...execArgv, QUIET] })
  const ended = Promise.withResolvers<void>()
  let waiting: PromiseWithResolvers<Reply> | undefined = Promise.withResolvers<Reply>()
  let death: Died | undefined
  const first = waiting.promise

  worker.on('message', (reply: Reply) => {
    const asked = waiting
    waiting = undefined
    worker.unref()
    if (reply.type === 'failed') asked?.reject(failed(reply.failure, settings.path))
    else asked?.resolve(reply)
  })
  const died = (reason: string): void => {
    death ??= new Died(reason)
    waiting?.reject(death)
    waiting = undefined
  }
  worker.on('error', (error) => died(messageOf(error)))
  worker.on('exit', (code) => {
    died(`the thread ended with ${code}`)
    ended.resolve()
  })

  /** The process stays alive while something is in the air, and no longer. */
  const post = (message: Batch | 'close'): void => {
    worker.postMessage(message)
    worker.ref()
  }
  return {
    first: (await first) as Opened,
    async ask(batch) {
      if (death) throw death
      post(batch)
      waiting = Promise.withResolvers<Reply>()
      return waiting.promise
    },
    async close() {
      if (!death) post('close')
      await ended.promise
    },
  }
}

const CODES = { refused: 'config', denied: 'config', disk: 'unavailable' } as const

const failed = ({ kind, message }: Failure, path: string): YarakError =>
  new YarakError(CODES[kind], kind === 'denied' ? `cannot use ${path}: ${message}` : message, { reason: kind })
