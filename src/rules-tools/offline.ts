/** What a plugin is given where nothing may be touched, and what is then known of a target. */
import type { Io, Resolver, Resource, Subject } from '../plugin.ts'
import type { Target } from '../target.ts'

/** Thrown to a plugin that asks for what is not there. */
export class OutOfReach extends Error {
  constructor(what: string) {
    super(`${what} is not within reach here`)
  }
}

/** Stands for resources, by their type. */
export type StandIns = ReadonlyMap<string, unknown>

const NONE: StandIns = new Map()

/** The same Io, reaching nothing but the stand-ins. */
export const isolated = <T extends Io>(io: T, standIns: StandIns = NONE): T => ({
  ...io,
  http: () => Promise.reject(new OutOfReach('the network')),
  use: <R>(resource: Resource<R>): Promise<R> =>
    standIns.has(resource.type)
      ? Promise.resolve(standIns.get(resource.type) as R)
      : Promise.reject(new OutOfReach(resource.type)),
})

const quiet = (): void => {}

/** An Io of nobody, reaching nothing. */
const NOWHERE: Io = isolated<Io>({
  id: 'offline',
  log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  env: {},
  dataDir: '.',
  state: { get: () => Promise.resolve(undefined), set: () => Promise.resolve() },
  call: (_span, fn) => fn({ headers: {}, set: quiet }),
  http: () => Promise.reject(new OutOfReach('the network')),
  use: () => Promise.reject(new OutOfReach('a resource')),
})

/** What the event claims, for a guard to judge; undefined: it names nothing. */
export const claimedSubject = ({ key, namespace, pod, podUid, container, host, node }: Target): Subject | undefined => {
  if (key === undefined) return undefined
  if (namespace && pod) return { kind: 'Pod', key, namespace, name: pod, ...(podUid && { uid: podUid }) }
  if (container) return { kind: 'Container', key, name: container, ...(namespace && { namespace }) }
  return { kind: host ? 'Node' : 'Unknown', key, ...(node && { name: node }) }
}

/**
 * A resolver that believes the event as soon as it would have to look: what it refuses without looking, it refuses.
 * @throws YarakError as the resolver does
 */
export const believing =
  (resolver: Resolver, standIns?: StandIns): Resolver =>
  async (target, io) => {
    try {
      return await resolver(target, isolated(io, standIns))
    } catch (error) {
      if (error instanceof OutOfReach) return unmarked(claimedSubject(target))
      throw error
    }
  }

/** What cannot be looked at is taken to have no labels and no owner, so that nothing protects it by them. */
const unmarked = (subject: Subject | undefined): Subject | undefined =>
  subject && { labels: {}, owners: [], ...subject }

/** The subject of a target as far as the event alone tells. @throws YarakError as the resolver does */
export const subjectOffline = (resolver: Resolver, target: Target): Promise<Subject | undefined> =>
  believing(resolver)(target, NOWHERE)
