/** Changes that can be taken back: noted on the thing itself, so that any process can do it, also after a restart. */

/** A kind of object that may carry a note, as its API calls it. */
export interface UndoKind {
  /** Group and version, e.g. `v1`, `networking.k8s.io/v1`. */
  readonly apiVersion: string
  /** The plural, e.g. `pods`. */
  readonly resource: string
}

/** One change, as its note tells. */
export interface Undoable {
  /** The type of the action that made it. */
  readonly action: string
  /** The response, and the id of its step. */
  readonly response: string
  readonly step: string
  readonly rule: string
  /** RFC 3339, UTC: when it was made. */
  readonly at: string
  /** RFC 3339, UTC: when it is undone by itself; absent: only when somebody asks. */
  readonly expires?: string
  /** What was there before, as the action noted it. */
  readonly prior: unknown
  /** What it made of it: what is something else by now is not touched. */
  readonly made: unknown
  /** The span that made it. */
  readonly traceparent?: string
  /** The thing that carries the note. */
  readonly object: UndoKind & {
    readonly kind: string
    readonly namespace?: string
    readonly name: string
    readonly uid: string
  }
  /** Tells this note from others on the same thing. */
  readonly note: string
}

/** All notes of one place, e.g. of a cluster. */
export interface Undos {
  list(kinds: readonly UndoKind[]): Promise<readonly Undoable[]>
  /**
   * Calls `work` again and again, every `interval` milliseconds, while this process is the one that leads all that
   * share the place; resolves when the signal fires. Never rejects: what goes wrong is logged, and tried again.
   */
  lead(interval: number, signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void>
}
