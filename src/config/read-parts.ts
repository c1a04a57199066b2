/**
 * A long list parsed part by part, so that the parser's trees of one part can be let go before the next: rules files of
 * thousands of rules load in two thirds of the time.
 */
import { Composer, type Document as YamlDocument, Parser } from 'yaml'

/** A shorter text is not worth it. */
const LONG = 64 * 1024
const PART = 8 * 1024

/** At the left margin nothing but items, comments and empty lines: an item then ends where the next begins. */
const OTHER = /^(?!-[ \r]|-$|[ #\r]|$)/m
/** Anchors and aliases reach over items. */
const ANCHOR = /(?:^|[\s[{,:])[&*]\S/m
const ITEM = /^-(?=\s)/gm

/**
 * The parts of a long list of YAML, with positions as in the whole; none of any other text. Faults in a part are the
 * caller's to look for: then the text is to be parsed as a whole.
 */
export function* parseParts(text: string): Generator<YamlDocument> {
  if (text.length < LONG || OTHER.test(text) || ANCHOR.test(text)) return
  let start = 0
  for (const { index } of text.matchAll(ITEM)) {
    if (index - start < PART) continue
    yield* parse(text.slice(start, index), start)
    start = index
  }
  yield* parse(text.slice(start), start)
}

const parse = (part: string, offset: number): Generator<YamlDocument> => {
  const parser = new Parser()
  parser.offset = offset
  return new Composer({ merge: true }).compose(parser.parse(part), true, offset + part.length)
}
