/** Regular expressions in linear time: attackers write the values, so no expression may take longer on some of them. */
import { RE2JS } from 're2js'

/** A repeat of 1,000 inside a longer one takes seconds to compile. */
const MAX_LENGTH = 2_000

/**
 * Compiles an expression in RE2's syntax; the whole value must match, as in Falco.
 * @throws Error saying what is wrong with it
 * @example regexTest('/tmp/[a-z]+')('/tmp/x') // true
 */
export const regexTest = (pattern: string): ((text: string) => boolean) => {
  if (pattern.length > MAX_LENGTH) throw new Error(`a regular expression is at most ${MAX_LENGTH} characters`)
  const compiled = RE2JS.compile(pattern)
  return (text) => compiled.testExact(text)
}
