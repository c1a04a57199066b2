/** What gives the lines of a file, step by step: a tail, or an archive. */
import type { Line } from './_lines.ts'
import type { Mark, Source } from './_source.ts'

/** Why reading began at a place. */
export type Begin = 'first' | 'resumed' | 'rotated' | 'emptied'

/** What a poll found, in order. What has a source has a place: `markOf(source, end)` is the mark after it. */
export type TailItem =
  /** A line; without `bytes` it was over the limit. */
  | ({ readonly kind: 'line'; readonly source: Source } & Line)
  /** What was read of a line is lost. */
  | { readonly kind: 'truncated'; readonly source: Source; readonly start: number; readonly end: number }
  | { readonly kind: 'opened'; readonly why: Begin; readonly source: Source; readonly end: number }
  /** Something is wrong with the path: said once until it changes, or has passed with `recovered`. */
  | { readonly kind: 'trouble'; readonly code: string; readonly message: string }
  | { readonly kind: 'recovered' }
  /** The file of the mark is nowhere: what it still held is lost. */
  | { readonly kind: 'lost'; readonly mark: Mark }

export interface Polled {
  readonly items: TailItem[]
  /** `more`: call again at once; `idle`: nothing new now; `end`: nothing more will come (`once`). */
  readonly state: 'more' | 'idle' | 'end'
}

/** Something that gives the lines of a file, poll by poll; never two at a time. */
export interface LineReader {
  poll(): Promise<Polled>
  /** Nothing more will come: what there is is read to its end, then the state is `end`. */
  finish(): void
  /** Bytes read or passed over so far. */
  readonly read: number
  close(): Promise<void>
}
