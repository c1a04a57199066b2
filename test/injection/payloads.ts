/** What an attacker may write into a field of an event; each would leave a canary somewhere if anything read it as more than text. */
import { alert } from '../kit.ts'

/** By name. One that ran would make a file, a variable, a header, an object, or the text `42canary`. */
export const PAYLOADS: Readonly<Record<string, string>> = {
  substitution: '$(touch CANARY)',
  backticks: '`touch CANARY`',
  semicolon: '; touch CANARY',
  quotes: `'; touch CANARY; "; touch CANARY; '`,
  newlines: 'a\ntouch CANARY\nCANARY=1',
  header: 'x\r\nX-Canary: 1',
  liquid: '{{ 6 | times: 7 }}canary',
  'liquid tag': '{% assign n = 42 %}{{ n }}canary',
  'go template': '{{ printf "%d" 42 }}canary',
  yaml: 'a: b\nkind: Canary',
  json: '","kind":"Canary","x":"',
  traversal: '../../canary',
  'encoded traversal': '..%2f..%2fcanary',
  option: '-o=canary',
  'invalid utf-8': '\ufffd$(touch CANARY)\ufffd',
  nul: 'a\u0000$(touch CANARY)',
  large: `$(touch CANARY)${'x'.repeat(1_000_000)}`,
}

export const isLarge = (payload: string): boolean => payload.length > 1_000

/** The field that settings take their value from. */
export const EVIL = 'proc.cmdline'

/** Fields that tell more of an event, members of the event first; they decide nothing unless settings name them. */
const WORDS = [
  ...['rule', 'output', 'source', 'tags', 'hostname', 'user.name', 'container.name', 'k8s.node.name'],
  ...['proc.name', 'proc.cmdline', 'proc.exepath', 'fd.name', 'fd.rip', 'evt.args'],
  ...['ka.target.resource', 'ka.target.name', 'ka.target.namespace', 'ka.uri'],
]

const MEMBERS = new Set(['rule', 'output', 'source', 'hostname'])

export type Fields = Readonly<Record<string, string>>

/** What an ordinary event has. */
const USUAL: Fields = {
  'k8s.ns.name': 'shop',
  'k8s.pod.name': 'web-1',
  'proc.name': 'seen.txt',
  'fd.rip': '203.0.113.7',
}

/** Half a minute old, so that nothing is looked for again that is not there yet. */
const then = (): string => new Date(Date.now() - 30_000).toISOString()

/** The bytes of an event with these values; the replacement character is sent as a byte that is no UTF-8. */
export const eventOf = (values: Fields): Buffer => {
  const { tags, ...others } = values
  const members = Object.entries(others).filter(([name]) => MEMBERS.has(name))
  const fields = Object.entries(others).filter(([name]) => !MEMBERS.has(name))
  const event = alert({
    time: then(),
    ...Object.fromEntries(members),
    ...(tags !== undefined && { tags: [tags, 'shell'] }),
    output_fields: { ...USUAL, ...Object.fromEntries(fields) },
  })
  const text = JSON.stringify(event)
  return text.includes('\ufffd') ? Buffer.from(text.replaceAll('\ufffd', '\u00ff'), 'latin1') : Buffer.from(text)
}

/** What decides nothing where a pod is named besides. */
const BESIDES = ['container.id', 'k8smeta.node.name']

/** Where nothing is looked for, names are words like others. */
const PLACES = ['k8s.ns.name', 'k8s.pod.name', 'k8s.pod.uid']

const NOWHERE: Fields = { 'k8s.ns.name': '', 'k8s.pod.name': '' }

/** Events that lie about where they are from, by what they lie about. */
const liesWith = (payload: string): Readonly<Record<string, Fields>> => ({
  'k8s.ns.name': { 'k8s.ns.name': payload },
  'k8s.pod.name': { 'k8s.pod.name': payload },
  'k8s.pod.uid': { 'k8s.pod.uid': payload },
  'k8s.pod.uid alone': { ...NOWHERE, 'k8s.pod.uid': payload },
  'container.id alone': { ...NOWHERE, 'container.id': payload },
  'the hostname of a host': { ...NOWHERE, 'container.id': 'host', hostname: payload },
})

/** One event with a payload. */
export interface Attack {
  readonly what: string
  readonly fields: Fields
  /** It is in a field by which the target is found. */
  readonly misleads: boolean
}

/**
 * Events with a payload in every field: in all at once that do not lead to the target, and one by one in those that do,
 * or that the action needs. A large payload is in one of the first only, another one at each `turn`.
 * @param usual fields that the action needs
 * @param target whether it looks for what the event is about; `known`: that has been tried
 */
export const attacks = (
  payload: string,
  usual: Fields,
  turn: number,
  target: 'none' | 'found' | 'known',
): readonly Attack[] => {
  const words = [...WORDS, ...BESIDES, ...(target === 'none' ? PLACES : [])].filter((name) => usual[name] === undefined)
  const chosen = isLarge(payload) ? [words[turn % words.length] ?? ''] : words
  const all = {
    what: chosen.join(),
    fields: Object.fromEntries(chosen.map((name) => [name, payload])),
    misleads: false,
  }
  const own = Object.keys(usual).map((name) => ({ what: name, fields: { [name]: payload }, misleads: false }))
  const lies = Object.entries(target === 'found' ? liesWith(payload) : {}).map(([what, fields]) => ({
    what,
    fields,
    misleads: true,
  }))
  return [all, ...own, ...lies].map((one) => ({ ...one, fields: { ...usual, ...one.fields } }))
}
