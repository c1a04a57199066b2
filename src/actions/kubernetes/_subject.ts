/** A live object as guards judge it. */
import type { Subject } from '../../plugin.ts'

/** An owner as an object names it. */
export interface Owner {
  readonly kind: string
  readonly name: string
  readonly uid?: string
}

/** What is looked at of the metadata of an object. */
export interface Metadata {
  readonly namespace?: string
  readonly name?: string
  readonly uid?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly (Owner & { readonly controller?: boolean })[]
}

/** The key is `<kind>[/<namespace>]/<name>`; of the owners the controller comes first. */
export const subjectFrom = (kind: string, metadata: Metadata): Subject => {
  const { namespace, name, uid, labels, ownerReferences = [] } = metadata
  return {
    kind,
    key: [kind.toLowerCase(), ...(namespace ? [namespace] : []), name].join('/'),
    ...(namespace && { namespace }),
    ...(name && { name }),
    ...(uid && { uid }),
    labels: { ...labels },
    owners: [...ownerReferences]
      .sort((a, b) => Number(b.controller ?? false) - Number(a.controller ?? false))
      .map(ownerOf),
  }
}

/** Without what else a reference holds. */
export const ownerOf = ({ kind, name, uid }: Owner): Owner => ({ kind, name, ...(uid && { uid }) })
