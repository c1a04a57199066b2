/** A place to agree in, in this process: as strict about versions as a server, with delays and outages as the test says. */
import type { Agreement, Claim, Claims, LiveClaim } from '../src/agreement.ts'
import { defineResource, z } from '../src/plugin.ts'

export interface FakeClaims extends Claims {
  readonly all: Map<string, LiveClaim>
  /** Every write as it was taken. */
  readonly writes: (Claim & { readonly id: string })[]
  /** Awaited before and after each call; what it throws is the answer. After a write it has happened all the same. */
  trouble: (call: 'read' | 'write' | 'written', id: string) => Promise<void> | void
}

export const fakeClaims = (): FakeClaims => {
  const all = new Map<string, LiveClaim>()
  let last = 0
  const set = (id: string, claim: Claim): string => {
    const version = String(++last)
    all.set(id, { ...claim, version })
    place.writes.push({ ...claim, id })
    return version
  }
  const write = async (id: string, change: () => string | undefined): Promise<string | undefined> => {
    await place.trouble('write', id)
    const version = change()
    await place.trouble('written', id)
    return version
  }
  const place: FakeClaims = {
    all,
    writes: [],
    trouble: () => {},
    async read(id) {
      await place.trouble('read', id)
      return all.get(id)
    },
    create: (id, claim) => write(id, () => (all.has(id) ? undefined : set(id, claim))),
    replace: (id, claim, version) => write(id, () => (all.get(id)?.version === version ? set(id, claim) : undefined)),
    async *list() {
      yield* [...all].map(([id, claim]) => ({ ...claim, id }))
    },
    async remove(id, version) {
      if (all.get(id)?.version === version) all.delete(id)
    },
  }
  return place
}

/** A resource whose processes agree in `claims`; who leads is up to `lead`, by default everybody does. */
export const agreeing = (claims: Claims, lead: Agreement['lead'] = (_name, signal, work) => work(signal)) =>
  defineResource({
    type: 'test:place',
    summary: 'A place to agree in.',
    config: z.strictObject({}),
    open: async () => ({}),
    agreement: () => ({ claims, lead }),
  })
