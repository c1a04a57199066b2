/** What a command needs of the process: given by the binary, or by a test. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
  /** Whether people read standard error: the log is then a readable line for each fact, else JSON. */
  readonly tty: boolean
  /** Whether colours may be used: on a terminal, unless NO_COLOR is set. */
  readonly colours: { readonly out: boolean; readonly err: boolean }
  /** How wide standard output is; undefined where it is no terminal. */
  readonly columns?: () => number | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** Fires on Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
  /** Calls back at each SIGHUP. */
  readonly onHangup?: (listener: () => void) => void
}

/** Ends a command with an exit code, after it has said why. */
export class Exit extends Error {
  readonly code: number
  constructor(code: number) {
    super(`exit ${code}`)
    this.code = code
  }
}

/** @example plural(1, 'rule') // '1 rule' */
export const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`
