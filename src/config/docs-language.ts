/** What the page on rules files tells of the languages in them: every word, and what it does. */
import type { Modifier, Operator, Transformer } from '../rules/ast.ts'
import type { WordTable } from './docs-rules.ts'

export const CONDITION = [
  'Checks are joined by `and`, `or`, `not` and parentheses; `and` binds closer than `or`. A word without an operator is a ' +
    '[macro](#macro), a word in a list of values may be a [list](#list). What holds blanks, quotes, commas, `=` or ' +
    'parentheses stands in quotes.',
  'A check of what is not there (or is null or `<NA>`) does not hold, whatever its operator; `not` before it makes it hold. ' +
    'So `proc.name != sh` asks for a name, and `not proc.name = sh` does not.',
  'Numbers compare as numbers, addresses and networks (`10.0.0.0/8`) in fields of addresses as such, `priority` by severity, ' +
    'all else as text. For a list in a field one member is enough; `in` needs all of them, and `!=` that none is equal. ' +
    'Where a value stands, `val(<field>)` or a transformer compares with another field.',
]

const OPERATORS: Readonly<Record<Operator, string>> = {
  '=': 'equal',
  '==': 'the same',
  '!=': 'not equal',
  '<': 'less',
  '<=': 'less or equal',
  '>': 'greater',
  '>=': 'greater or equal',
  in: 'one of a list',
  intersects: 'of a list in a field: at least one of a list',
  pmatch: 'a path at or below one of a list, whose parts may be patterns',
  contains: 'the text is in it',
  icontains: 'the same, upper and lower case alike',
  bcontains: 'the bytes, in hexadecimal, are in it',
  startswith: 'begins with the text',
  bstartswith: 'begins with the bytes, in hexadecimal',
  endswith: 'ends with the text',
  glob: 'fits a pattern of `*`, `?` and `[a-z]`; `*` fits `/` too',
  iglob: 'the same, upper and lower case alike',
  regex: 'fits an expression of RE2 as a whole, in time proportional to the text',
  exists: 'is there; takes no value',
}

const MODIFIERS: Readonly<Record<Modifier, string>> = {
  anyof: 'at least one of the list: `proc.cmdline contains anyof (-e, --exec)`',
  allof: 'all of it',
  oneof: 'exactly one of it',
}

const TRANSFORMERS: Readonly<Record<Transformer, string>> = {
  toupper: 'in upper case',
  tolower: 'in lower case',
  len: 'how many members a list has, or bytes a text',
  basename: 'what stands after the last `/`',
  b64: 'decoded from base64; not there when it is none',
  join: 'a separator and a list: its members as one text',
  concat: 'two texts or more as one',
  getopt:
    'arguments and the allowed options, as getopt(3): the list of those given; `[x]` behind it: the argument of one',
}

export const conditionTables: readonly WordTable[] = [
  { head: 'operator', rows: OPERATORS },
  { head: 'before a list', rows: MODIFIERS },
  { head: 'transformer', rows: TRANSFORMERS },
]

export const TEMPLATE = [
  'The names are those of a [step](#step). A setting that is exactly one `{{ path }}` keeps its type, any other becomes ' +
    'text. A missing value in `with` fails the step, unless `| default: ...` gives one; in a message it is empty. Times are in ' +
    'UTC. No template reads files or the environment.',
]

/** The filters beside Liquid's own. */
const FILTERS: Readonly<Record<string, string>> = {
  slug: 'a valid value of a label: lower case, the rest as `-`, at most 63 characters',
  json: 'as JSON',
  shell: 'one word of a POSIX shell, quoted',
  md: 'text that Markdown shows as it is',
  html: 'text that HTML shows as it is',
  url: 'one segment or value of a URL',
  trunc: 'at most so many characters, 80 by default, then `…`',
  keys: 'the names in a map, sorted',
}

export const templateTables: readonly WordTable[] = [{ head: 'filter', rows: FILTERS }]
