/** Shared clients: opened on first use, reopened after a failed open, closed when the gateway stops. */
import { asYarakError, messageOf, YarakError } from './errors.ts'
import type { Io, Resource, Use } from './plugin.ts'

export interface Resources {
  use<T>(resource: Resource<T>): Promise<T>
  close(): Promise<void>
}

/** How long a failed open is answered with the same error, in milliseconds. */
const HOLD_OFF = 1_000

interface Opened {
  readonly resource: Resource
  readonly value: Promise<unknown>
  readonly failedAt?: number
}

/**
 * @param settings resources with settings of their own; any other is opened with its defaults
 * @param io gives a resource its Io
 */
export const createResources = (settings: readonly Use<Resource>[], io: (id: string) => Io): Resources => {
  const opened = new Map<string, Opened>()
  let closed = false
  const open = (resource: Resource): Opened => {
    const use = settings.find(({ plugin }) => plugin.type === resource.type)
    const value = (async () =>
      resource.open(use ? use.config : resource.config.parse({}), io(use?.id ?? resource.type)))()
    const entry: Opened = { resource, value }
    value.catch(() => {
      if (!closed) opened.set(resource.type, { ...entry, failedAt: Date.now() })
    })
    return entry
  }
  return {
    async use<T>(resource: Resource<T>): Promise<T> {
      if (closed) throw new YarakError('closing', `${resource.type} is closed: the gateway is stopping`)
      const known = opened.get(resource.type)
      const stale = known?.failedAt !== undefined && Date.now() - known.failedAt > HOLD_OFF
      const entry = known && !stale ? known : open(resource)
      opened.set(resource.type, entry)
      try {
        return (await entry.value) as T
      } catch (error) {
        throw asYarakError(error, 'unavailable')
      }
    },
    async close() {
      closed = true
      const all = [...opened.values()]
      opened.clear()
      await Promise.all(all.map((one) => closeOne(one, io)))
    },
  }
}

const closeOne = async ({ resource, value }: Opened, io: (id: string) => Io): Promise<void> => {
  const client = await value.catch(() => undefined)
  if (client === undefined) return
  try {
    await resource.close?.(client)
  } catch (error) {
    io(resource.type).log.warn('closing a resource failed', { resource: resource.type, error: messageOf(error) })
  }
}
