/** One process at a time: a test run and a shell may want to get the same part at the same moment. */
import { rmSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'

/** The owner says this often that it lives; after many times that in silence it has died, even if its pid is in use. */
const heartbeatMs = 5_000
const silenceMs = 60_000

/** Runs `work` while this process owns the lock file. The lock of a process that has died is taken over. */
export const locked = async <T>(lock: string, work: () => Promise<T>): Promise<T> => {
  while (!take(lock)) {
    if (isStale(lock)) rmSync(lock, { force: true })
    else await new Promise((wake) => setTimeout(wake, 200))
  }
  const heartbeat = setInterval(() => utimesSync(lock, new Date(), new Date()), heartbeatMs)
  try {
    return await work()
  } finally {
    clearInterval(heartbeat)
    rmSync(lock, { force: true })
  }
}

const take = (lock: string): boolean => {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** A lock that its owner gives back at this very moment is not stale, but gone. */
const isStale = (lock: string): boolean => {
  try {
    if (Date.now() - statSync(lock).mtimeMs > silenceMs) return true
    process.kill(Number(readFileSync(lock, 'utf8')), 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
