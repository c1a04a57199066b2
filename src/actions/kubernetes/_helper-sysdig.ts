/** The pod in which `sysdig` runs, and its command line. */
import type { V1Pod, V1PodSpec } from '@kubernetes/client-node'
import { YarakError } from '../../plugin.ts'
import { shortId } from './_exec-container.ts'

export interface Capture {
  /** Milliseconds. */
  readonly duration: number
  readonly buffer_size: number
  readonly scope: 'pod' | 'node'
  readonly image: string
  readonly max_size: number
}

export const CONTAINER = 'sysdig'
export const FILE = '/capture/sysdig.scap.gz'

export const specFor = ({ image, max_size }: Capture, nodeName: string): V1PodSpec => ({
  nodeName,
  hostPID: true,
  containers: [
    {
      name: CONTAINER,
      image,
      imagePullPolicy: 'IfNotPresent',
      command: ['sleep', '3600'],
      env: [{ name: 'HOST_ROOT', value: '/host' }],
      securityContext: { privileged: true, runAsUser: 0 },
      volumeMounts: [
        { name: 'host', mountPath: '/host', readOnly: true },
        { name: 'capture', mountPath: '/capture' },
      ],
    },
  ],
  volumes: [
    { name: 'host', hostPath: { path: '/' } },
    { name: 'capture', emptyDir: { sizeLimit: String(max_size) } },
  ],
})

const SOCKETS: Readonly<Record<string, string>> = {
  containerd: '/run/containerd/containerd.sock',
  'cri-o': '/run/crio/crio.sock',
}

/** An id that is no container's is left out: it becomes part of a filter. */
export const sysdigCommand = ({ duration, buffer_size, scope }: Capture, { status }: V1Pod): readonly string[] => {
  const all = [status?.containerStatuses, status?.initContainerStatuses, status?.ephemeralContainerStatuses]
  const containers = all.flatMap((some) => some ?? [])
  const ids = containers.flatMap(({ containerID }) => shortId(containerID)?.slice(0, 12) ?? [])
  if (scope === 'pod' && ids.length === 0) {
    throw new YarakError('failed', 'the pod has no container that was started', { reason: 'no-container' })
  }
  const socket =
    SOCKETS[/^[a-z-]+/.exec(containers.find(({ containerID }) => containerID)?.containerID ?? '')?.[0] ?? '']
  const length = ['-M', String(Math.ceil(duration / 1_000)), '-s', String(buffer_size)]
  return [
    ...['sysdig', '--modern-bpf', ...(socket ? ['--cri', socket] : []), ...length, '-z', '-w', FILE],
    ...(scope === 'pod' ? [`container.id in (${ids.join(', ')})`] : []),
  ]
}
