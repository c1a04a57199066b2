/** A cluster in whose containers commands really run: on this machine, each test in a folder of its own. */
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { z } from 'zod'
import type { Action, Result } from '../../../src/plugin.ts'
import { checkSettings } from '../../../src/settings.ts'
import { type ExecCall, fakeExec, locally, type Play } from '../../fake-exec.ts'
import type { FakeCluster } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { aPod, aPodStep, CONTAINER, POD_FIELDS, withCluster } from './world.ts'

export const FULL_ID = `containerd://${CONTAINER}${'c'.repeat(52)}`
const SIDE_ID = `containerd://${'a'.repeat(64)}`

/** The pod with two containers, of which `web` is that of {@link CONTAINER}. */
export const thePod = () => ({
  ...aPod(),
  spec: { nodeName: 'node-1', containers: [{ name: 'side' }, { name: 'web' }] },
  status: {
    containerStatuses: [
      { name: 'side', containerID: SIDE_ID },
      { name: 'web', containerID: FULL_ID },
    ],
  },
})

export interface Shell {
  readonly cluster: FakeCluster
  /** Where commands run. */
  readonly cwd: string
  readonly calls: ExecCall[]
}

interface ShellOptions {
  /** The programs there are; all when left out. */
  readonly programs?: readonly string[]
  readonly play?: Play
}

export const withShell = async ({ programs, play }: ShellOptions = {}): Promise<Shell> => {
  const cluster = await withCluster()
  cluster.add('Pod', thePod())
  const dir = await mkdtemp(join(tmpdir(), 'yarak-shell-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const [cwd, bin] = [join(dir, 'work'), join(dir, 'bin')]
  await mkdir(cwd)
  await mkdir(bin)
  for (const name of programs ?? [])
    await symlink(existsSync(`/usr/bin/${name}`) ? `/usr/bin/${name}` : `/bin/${name}`, join(bin, name))
  const calls = fakeExec(cluster, play ?? locally({ cwd, ...(programs && { path: bin }) }))
  return { cluster, cwd, calls }
}

/** Runs an action in it, the settings being checked as the engine checks them. */
export const run = async <S extends z.ZodType>(
  action: Action<S>,
  { cluster }: Pick<Shell, 'cluster'>,
  params: z.input<S>,
  { fields, ...options }: StepOptions = {},
): Promise<Result> => {
  const [problem] = checkSettings(action.config, params)
  if (problem) throw new Error(problem.message)
  return perform(action, params, await aPodStep(cluster, { fields: { ...POD_FIELDS, ...fields }, ...options }))
}

/** What an attacker may put into any field of an event. */
export const HOSTILE = [
  '$(touch owned)',
  '`touch owned`',
  '; touch owned',
  "'; touch owned; '",
  '"; touch owned; "',
  'a\ntouch owned\n',
  '-x',
  '--help',
  '${IFS}touch${IFS}owned',
  '&& touch owned',
  '| touch owned',
  '> owned',
  '*',
  '%s\\n',
  '',
  ' ',
  'ünïcödé 🦅',
] as const
