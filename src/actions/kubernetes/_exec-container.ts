/** Which container of a pod an event is about. */
import type { V1Pod } from '@kubernetes/client-node'
import { type Step, YarakError } from '../../plugin.ts'

const DEFAULT = 'kubectl.kubernetes.io/default-container'

/** The one that is asked for, else that of the event by its id, else that of the annotation for kubectl, else the first. */
export const containerOf = (live: V1Pod, { target }: Pick<Step, 'target'>, wanted: string | undefined): string => {
  const names = (live.spec?.containers ?? []).map(({ name }) => name)
  const noted = live.metadata?.annotations?.[DEFAULT]
  const found =
    wanted ?? byId(live, target.container) ?? (noted !== undefined && names.includes(noted) ? noted : names[0])
  if (found !== undefined) return found
  throw new YarakError('failed', 'the pod has no container', { permanent: true, reason: 'no-container' })
}

const byId = ({ status }: V1Pod, id: string | undefined): string | undefined =>
  id === undefined
    ? undefined
    : [status?.containerStatuses, status?.initContainerStatuses, status?.ephemeralContainerStatuses]
        .flatMap((all) => all ?? [])
        .find(({ containerID }) => shortId(containerID)?.startsWith(id.slice(0, 12)))?.name

/** A container's id without the runtime's prefix, as far as it is one. */
export const shortId = (containerId: string | undefined): string | undefined =>
  /^[a-z-]+:\/\/([0-9a-f]{12,64})$/.exec(containerId ?? '')?.[1]
