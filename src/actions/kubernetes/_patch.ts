/** A patch of an object of any kind. */
import type { Step } from '../../plugin.ts'
import type { Clients } from '../../resources/kubernetes.ts'
import { pastConflicts } from './_conflict.ts'

/** How the body of a patch is meant. */
const TYPES = {
  strategic: 'application/strategic-merge-patch+json',
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
} as const

interface Patch {
  readonly path: string
  readonly type: keyof typeof TYPES
  readonly body: unknown
  readonly query?: Readonly<Record<string, string | boolean>>
}

/** Sends a patch in our name, in a dry run as one; the object as it then is. */
export const sendPatch = (
  { send }: Clients,
  { dryRun }: Pick<Step, 'dryRun'>,
  { path, type, body, query }: Patch,
): Promise<unknown> =>
  pastConflicts(() =>
    send({
      method: 'PATCH',
      path,
      query: { fieldManager: 'yarak', ...query, dryRun: dryRun ? 'All' : undefined },
      contentType: TYPES[type],
      body,
    }),
  )
