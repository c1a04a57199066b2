/** The journal's thread: the only one that touches the file, so that the event loop is never blocked by a disk. */
import { parentPort, workerData } from 'node:worker_threads'
import { type JournalFile, failureOf, openFile } from './file.ts'
import type { Batch, Reply, WorkerSettings } from './protocol.ts'

const say = (reply: Reply): void => parentPort?.postMessage(reply)

const settings = workerData as WorkerSettings

const attempt = (file: JournalFile, batch: Batch): Reply => {
  try {
    return { type: 'done', ...file.run(batch) }
  } catch (error) {
    return { type: 'failed', failure: failureOf(error) }
  }
}

const serve = (file: JournalFile): void => {
  const { opened, space, movedAside, migrated } = file
  parentPort?.on('message', (message: Batch | 'close') => {
    if (message !== 'close') return say(attempt(file, message))
    file.close()
    parentPort?.close()
  })
  say({ type: 'opened', opened, space, ...(movedAside !== undefined && { movedAside }), ...(migrated && { migrated }) })
}

try {
  serve(openFile(settings))
} catch (error) {
  say({ type: 'failed', failure: failureOf(error) })
}
