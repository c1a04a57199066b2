/** What several processes that share the work agree on: who answers what, and who does what only one may do. */

/** Who answers what: an object that is made once, and then only changed by whoever knows its last version. */
export interface Claim {
  /** Who has it, unlike all others; empty: nobody, it may be taken at once. */
  readonly holder: string
  /** Milliseconds without a change after which another may take it. */
  readonly lasts: number
  /** Nothing is left to do. */
  readonly settled: boolean
  /** JSON, the engine's own; at most 256 KiB. */
  readonly facts: string
}

export interface LiveClaim extends Claim {
  /** Another one after each change. */
  readonly version: string
}

export interface Claims {
  read(id: string): Promise<LiveClaim | undefined>
  /** @returns its version; undefined: there is one already */
  create(id: string, claim: Claim): Promise<string | undefined>
  /** @returns its new version; undefined: it is not of `version` any more */
  replace(id: string, claim: Claim, version: string): Promise<string | undefined>
  list(): AsyncIterable<LiveClaim & { readonly id: string }>
  /** Removes it, unless it was changed. */
  remove(id: string, version: string): Promise<void>
}

/** A place that several processes can agree in, e.g. a cluster. */
export interface Agreement {
  readonly claims: Claims
  /**
   * Calls `work` while this process leads all that share the place under this name; its signal fires when that is over,
   * and then it is called again once we lead again. Resolves when `work` has ended by itself, or the signal fired.
   * @param waits called when another leads
   * @throws what `work` throws; YarakError when it may not be asked who leads
   */
  lead(
    name: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<void>,
    waits?: () => void,
  ): Promise<void>
}
