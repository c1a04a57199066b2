/** Reads a tail by hand, for the tests of the tailer. */
import { utimesSync } from 'node:fs'
import { markOf, parseMark, positionOf, type Mark } from '../../inputs/_source.ts'
import type { TailItem } from '../../inputs/_reader.ts'
import type { Tail } from '../../inputs/_tail.ts'

/** All there is now. */
export const items = async (tail: Tail): Promise<TailItem[]> => {
  const all: TailItem[] = []
  for (;;) {
    const { items: some, state } = await tail.poll()
    all.push(...some)
    if (state !== 'more') return all
  }
}

/** Lines as text, and in angle brackets what else is to be known. */
export const said = (all: readonly TailItem[]): string[] =>
  all.flatMap((item) => {
    if (item.kind === 'line') return [item.bytes?.toString() ?? '<too large>']
    if (item.kind === 'truncated') return ['<truncated>']
    if (item.kind === 'opened' || item.kind === 'recovered') return []
    return [`<${item.kind} ${'code' in item ? item.code : item.mark.offset}>`]
  })

export const lines = async (tail: Tail): Promise<string[]> => said(await items(tail))

/** The mark after the last item, as it comes back from a state file. */
export const lastMark = (all: readonly TailItem[]): Mark => {
  const last = all.filter((item) => 'source' in item).at(-1)!
  return parseMark(JSON.parse(JSON.stringify(markOf(last.source, last.end))))!
}

export const positions = (all: readonly TailItem[]): string[] =>
  all.flatMap((item) => (item.kind === 'line' ? [positionOf(item.source, item.start)] : []))

/** Sets the modification time, in seconds: rotations are apart in real life. */
export const at = (file: string, seconds: number): void => utimesSync(file, seconds, seconds)

/** A line that is longer than what tells one file from another. */
export const big = (name: string): string => `${name} ${'x'.repeat(300)}\n`
