/** What kwok runs behind the kubelet's endpoints: commands, logs and attachments of every pod are local files and processes. */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The one container file system that all pods of a run share. */
export interface PodFiles {
  /** Where commands of `exec` run. */
  readonly root: string
  /** Adds lines to what `log` and `attach` read. */
  write(...lines: string[]): void
  /** Replaces what `log` with `previous` reads. */
  writePrevious(...lines: string[]): void
}

/** The format in which a container runtime keeps a log, which is what kwok reads. */
const runtimeLog = (lines: readonly string[]): string =>
  lines.map((text) => `${new Date().toISOString()} stdout F ${text}\n`).join('')

export const podFiles = (dir: string): PodFiles => {
  const root = join(dir, 'pod')
  mkdirSync(root)
  for (const file of ['pod.log', 'previous.log']) writeFileSync(join(dir, file), '')
  return {
    root,
    write: (...lines) => appendFileSync(join(dir, 'pod.log'), runtimeLog(lines)),
    writePrevious: (...lines) => writeFileSync(join(dir, 'previous.log'), runtimeLog(lines)),
  }
}

const forAll = (kind: string, spec: object): object => ({
  apiVersion: 'kwok.x-k8s.io/v1alpha1',
  kind,
  metadata: { name: 'all' },
  spec,
})

/** Writes kwok's configuration for this run and gives its path. */
export const writeKwokConfig = (dir: string): string => {
  const path = join(dir, 'kwok.yaml')
  const logsFile = join(dir, 'pod.log')
  const objects = [
    forAll('ClusterExec', { execs: [{ local: { workDir: join(dir, 'pod') } }] }),
    forAll('ClusterLogs', { logs: [{ logsFile, previousLogsFile: join(dir, 'previous.log') }] }),
    forAll('ClusterAttach', { attaches: [{ logsFile }] }),
  ]
  writeFileSync(path, objects.map((object) => JSON.stringify(object)).join('\n---\n'))
  return path
}

/** The environment of kwok, and so of every command in a pod: nothing of the environment of whoever runs the tests. */
export const reducedEnv = (dir: string): NodeJS.ProcessEnv => ({
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: dir,
  LANG: 'C.UTF-8',
})

const childrenOf = (pid: number): number[] => {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
        .split(' ')
        .filter((child) => child !== '')
        .map(Number)
        .flatMap((child) => [child, ...childrenOf(child)]),
    )
  } catch {
    return []
  }
}

/**
 * Ends what kwok still runs for its pods. A command whose socket was dropped runs on, as it does in a container; but
 * there it ends with the container.
 */
export const killCommands = (kwok: number | undefined): void => {
  for (const pid of kwok === undefined ? [] : childrenOf(kwok))
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
}
