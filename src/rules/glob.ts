/** Shell patterns as fnmatch(3) without flags reads them, in time proportional to pattern times text. */

type Piece = '*' | ((char: string) => boolean)

/**
 * Compiles a pattern: `*` any text, `/` too; `?` one character; `[a-z]`, `[!a-z]`, `[[:alpha:]]`; `\` takes the next
 * character as it is. A `[` that is never closed is itself.
 * @example globTest('/home/*\/.ssh/*')('/home/eve/.ssh/id_rsa') // true
 */
export const globTest = (pattern: string): ((text: string) => boolean) => {
  const pieces = piecesOf(pattern)
  return (text) => matches(pieces, text)
}

/** As {@link globTest}, for any case. */
export const iglobTest = (pattern: string): ((text: string) => boolean) => {
  const test = globTest(pattern.toLowerCase())
  return (text) => test(text.toLowerCase())
}

const matches = (pieces: readonly Piece[], text: string): boolean => {
  let p = 0
  let t = 0
  let star = -1
  let mark = 0
  while (t < text.length) {
    const piece = pieces[p]
    const char = String.fromCodePoint(text.codePointAt(t) as number)
    if (piece === '*') {
      star = p++
      mark = t
    } else if (piece?.(char)) {
      p++
      t += char.length
    } else if (star >= 0) {
      p = star + 1
      t = ++mark
    } else return false
  }
  while (pieces[p] === '*') p++
  return p === pieces.length
}

const piecesOf = (pattern: string): Piece[] => {
  const pieces: Piece[] = []
  for (const [token] of pattern.matchAll(PIECE)) {
    if (token !== '*') pieces.push(pieceOf(token))
    else if (pieces.at(-1) !== '*') pieces.push('*')
  }
  return pieces
}

/** A set may start with `]`, and hold named classes. */
const PIECE = /\[[!^]?\]?(?:\[:\w+:\]|\\[^]|[^\]\\])*\]|\\[^]|[^]/gu

const pieceOf = (token: string): Exclude<Piece, '*'> => {
  if (token === '?') return () => true
  if (token.length > 2 && token.startsWith('[')) return setOf(token.slice(1, -1))
  const literal = token.length > 1 && token.startsWith('\\') ? token.slice(1) : token
  return (char) => char === literal
}

const NAMED: ReadonlyMap<string, RegExp> = new Map([
  ['alnum', /[A-Za-z0-9]/],
  ['alpha', /[A-Za-z]/],
  ['blank', /[ \t]/],
  ['cntrl', /[\0-\x1f\x7f]/],
  ['digit', /\d/],
  ['graph', /[!-~]/],
  ['lower', /[a-z]/],
  ['print', /[ -~]/],
  ['punct', /[!-/:-@[-`{-~]/],
  ['space', /[ \t-\r]/],
  ['upper', /[A-Z]/],
  ['xdigit', /[0-9a-fA-F]/],
])

const setOf = (inside: string): ((char: string) => boolean) => {
  const isNegated = /^[!^]/.test(inside)
  const tests = [...inside.slice(isNegated ? 1 : 0).matchAll(MEMBER)].map(memberOf)
  return (char) => tests.some((test) => test(char)) !== isNegated
}

const MEMBER = /\[:(\w+):\]|(\\[^]|[^])(?:-(\\[^]|[^]))?/gu

const memberOf = ([, named, from = '', to]: RegExpExecArray): ((char: string) => boolean) => {
  const known = NAMED.get(named ?? '')
  if (named !== undefined) return (char) => known?.test(char) ?? false
  const [first, last] = [from, to ?? from].map((one) => one.codePointAt(one.length > 1 && one[0] === '\\' ? 1 : 0) ?? 0)
  return (char) => {
    const code = char.codePointAt(0) ?? 0
    return code >= (first ?? 0) && code <= (last ?? 0)
  }
}

/**
 * Whether a path lies at or under one of others; their parts may be patterns.
 * @example pathTest(['/var/run', '/home/*\/.ssh'])('/var/run/docker.sock') // true, and '/var/running' is not
 */
export const pathTest = (prefixes: readonly string[]): ((path: string) => boolean) => {
  const tests = prefixes.map((prefix) => partsOf(prefix).map(partTest))
  return (path) => {
    const parts = partsOf(path)
    return tests.some((test) => test.length <= parts.length && test.every((holds, i) => holds(parts[i] ?? '')))
  }
}

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '')

const partTest = (part: string): ((text: string) => boolean) =>
  /[?*[]/.test(part) ? globTest(part) : (text) => text === part
