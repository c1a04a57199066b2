import { defineAction, type Result, size, YarakError, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { fixed } from '../_fixed.ts'
import { containerOf } from './_exec-container.ts'
import { readPod } from './_read-pod.ts'
import { saveLog } from './_exec-save.ts'
import * as common from './_exec-settings.ts'
import { addContainer, containerPermission, type HelperContainer, untilContainer } from './_helper-container.ts'
import { podOf, podPermissions, podSubject } from './resolve.ts'

const params = z
  .strictObject({
    image: common.image.describe(
      'Any image, e.g. `registry.example/tools:1`, with a digest when it is to be the same.',
    ),
    command: z.array(z.string()).min(1).describe('The program and its arguments, one each. No shell reads them.'),
    container: common.container.describe('Whose processes are seen. Default: the container of the event.'),
    capabilities: z
      .array(z.string().regex(/^[A-Z_]+$/, 'must be a capability such as SYS_PTRACE'))
      .default([])
      .describe('What it may do beside nothing, e.g. `SYS_PTRACE`. Default: none.'),
    user: z.int().min(0).max(2_147_483_647).optional().describe('Its user id. Default: that of the image.'),
    timeout: common.limit
      .prefault('60s')
      .describe('When it is let go of, the image having to come first. Default 60s.'),
    max_size: size()
      .refine((bytes) => bytes > 0, 'must be at least 1B')
      .prefault('10MiB')
      .describe('Most that is kept of its output. Default 10MiB.'),
    changes: z
      .enum(['reversible', 'destructive'])
      .default('destructive')
      .describe('What the command does to the world, for the guards. Default destructive.'),
  })
  .refine(...fixed('image'))
  .refine(...fixed('command', 0))
  .refine(...common.plainArguments)
  .refine(...fixed('capabilities'))
  .refine(...fixed('user'))
  .refine(...fixed('changes'))

type Params = z.output<typeof params>

/**
 * Runs a command of another image beside the container of the event: for containers without a shell, or whose own
 * programs are not to be trusted.
 * @example debug({ image: 'busybox:1.36', command: ['ls', '-l', '/proc/1/fd'], changes: 'reversible' })
 */
export const debug = defineAction({
  type: 'kubernetes:debug',
  summary: 'Runs a command of any image beside the container of the event, and keeps what it prints.',
  notes: [
    'It is an ephemeral container, without privileges, that sees the processes of the container and the network of the pod; the files of the container are below `/proc/1/root`, for which it needs `user: 0` and often `SYS_PTRACE`. What it prints is a file of the step, and 64 KiB of it the output.',
    'Kubernetes cannot remove it from the pod, where it stays listed; a pod that has ten of ours is refused with `too-many-containers`. One that did not end in time may run on, and the outcome is `unknown`.',
    'Not run on a real kubelet: the requests are proven on a real API server.',
  ].join('\n'),
  config: params,
  changes: ({ changes }) => changes,
  dryRun: true,
  saves: 'maybe',
  concurrency: 4,
  target: podSubject,
  timeout: ({ timeout }) => timeout + 30_000,
  permissions: [...podPermissions, containerPermission, { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] }],
  example: { image: 'busybox:1.36', command: ['ls', '-l', '/proc/1/fd'], user: 0, changes: 'reversible' },
  async run(settings, step): Promise<Result> {
    common.checkValues(settings.command)
    const pod = podOf(step)
    const cluster = await step.use(kubernetes)
    const clients = cluster.as(step)
    const target = containerOf(await readPod(clients, pod), step, settings.container)
    const name = await addContainer('debug', containerFor(settings, target), { clients, pod, step })
    const what = `${settings.command[0]} beside container ${target} of pod ${pod.namespace}/${pod.name}`
    const objects = { pod: pod.name, namespace: pod.namespace, container: name }
    if (step.dryRun) return { summary: `would run ${what}`, objects: { ...objects, container: target } }
    const late = AbortSignal.timeout(settings.timeout)
    const limited = { call: step.call, signal: AbortSignal.any([step.signal, late]) }
    const ended = untilContainer(name, 'terminated', { ...limited, clients: cluster.as(limited), pod })
    const { terminated } = await ended.catch((error: unknown) => {
      throw late.aborted && !step.signal.aborted ? runsOn(settings) : error
    })
    const kept = await saveLog(name, { clients, pod, step, size: settings.max_size })
    const { exitCode = -1 } = terminated ?? {}
    if (exitCode !== 0) throw exitedWith(settings, exitCode)
    return { summary: `ran ${what}`, objects, ...kept }
  },
})

const containerFor = ({ image, command, user, capabilities }: Params, target: string): HelperContainer => ({
  image,
  imagePullPolicy: 'IfNotPresent',
  command: command.map(literal),
  targetContainerName: target,
  securityContext: {
    ...(user !== undefined && { runAsUser: user, ...(user === 0 && { runAsNonRoot: false }) }),
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'], ...(capabilities.length > 0 && { add: capabilities }) },
  },
})

/** The kubelet replaces `$(NAME)` in a command by a variable; `$$(NAME)` is the text. */
const literal = (text: string): string => text.replaceAll('$', '$$$$')

const runsOn = ({ command, timeout }: Params): YarakError =>
  new YarakError('unknown', `${command[0]} has not ended after ${timeout / 1_000} s and may run on`, {
    permanent: true,
    reason: 'timeout',
  })

const exitedWith = ({ command }: Params, code: number): YarakError =>
  new YarakError('failed', `${command[0]} exited with ${code}`, { reason: `exit-${code}` })
