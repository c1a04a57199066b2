/** Text of bounded size, for results and errors. */

/** How much of an output a result keeps. */
export const MAX_OUTPUT = 64 * 1024

/** Takes bytes up to a limit; what comes after is counted and dropped. */
export interface Capped {
  add(chunk: Uint8Array): void
  /** The text, marked when it was cut; a character is never cut in two. */
  text(): string
}

/** Keeps the first `limit` bytes. */
export const capped = (limit = MAX_OUTPUT): Capped => {
  const chunks: Uint8Array[] = []
  let size = 0
  return {
    add(chunk) {
      if (size < limit) chunks.push(chunk.subarray(0, limit - size))
      size += chunk.length
    },
    text() {
      // In stream mode the decoder holds an unfinished character back, which is what a cut leaves at the end.
      const text = new TextDecoder().decode(Buffer.concat(chunks), { stream: size > limit })
      return size > limit ? `${text}\n[cut: ${limit} of ${size} bytes]` : text
    },
  }
}

/** Keeps the last `limit` bytes: errors are told at the end. */
export const lastOf = (limit = 4096): Capped => {
  let kept: Buffer = Buffer.alloc(0)
  return {
    add: (chunk) => void (kept = Buffer.concat([kept, chunk]).subarray(-limit)),
    text: () => kept.toString('utf8'),
  }
}

/** The last line that is not blank, at most 200 characters. */
export const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1)?.trim().slice(0, 200) ?? ''

/** The first {@link MAX_OUTPUT} bytes of a text. */
export const cut = (text: string): string => {
  const all = capped()
  all.add(Buffer.from(text))
  return all.text()
}

/**
 * A text as a part of a file name: a-z, 0-9 and single dashes, at most 63; `fallback` when nothing is left.
 * @example slugged('Terminal shell / ../x') // 'terminal-shell-x'
 */
export const slugged = (text: string, fallback: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(0, 63)
    .replace(/-$/, '') || fallback
