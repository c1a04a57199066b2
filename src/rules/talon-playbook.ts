/**
 * The short form of response rules that is shown in talks: a Falco rule's name, and actions by name with `params`, in
 * which Go templates stand for values of the event. Read as if it were Talon's, for `yarak import talon`.
 * @example
 * - name: Contain a shell
 *   falco_rule: Terminal shell in container
 *   actions:
 *     - name: isolate_pod
 *       params: { namespace: '{{.K8S.Namespace.Name}}', pod: '{{.K8S.Pod.Name}}' }
 */
import { type Document, lineFinder } from '../config/document.ts'
import type { Problems } from '../config/problems.ts'
import { suggestion } from '../config/suggest.ts'
import { parseName, RESERVED } from '../names.ts'
import { nameOf } from './talon-match.ts'
import {
  below,
  originOf,
  type Placed,
  ruleTitle,
  type Spot,
  type TalonAction,
  type TalonFile,
  type TalonRule,
  type Tell,
  tellOf,
} from './talon-read.ts'
import { Template } from './talon-template.ts'

/** What the actions are called, and the actionners that do the same. */
const ACTIONS: ReadonlyMap<string, string> = new Map([
  ['isolate_pod', 'kubernetes:networkpolicy'],
  ['terminate_container', 'kubernetes:terminate'],
  ['terminate_pod', 'kubernetes:terminate'],
  ['delete_pod', 'kubernetes:terminate'],
  ['kill_pod', 'kubernetes:terminate'],
  ['label_pod', 'kubernetes:label'],
  ['annotate_pod', 'kubernetes:annotation'],
])

/** Parameters that say what an action is about: here that is always the target of the event. */
const TARGET = /^(?:(?:pod|container|node)(?:_?(?:name|id))?|namespace(?:_?name)?|ns)$/i

type Raw = Readonly<Record<string, unknown>>

const asMap = (value: unknown): Raw | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Raw) : undefined

const itemsOf = ({ value }: Document): { readonly items: readonly unknown[]; readonly path: Spot['path'] } => {
  const inner = asMap(value)?.['rules']
  if (Array.isArray(inner)) return { items: inner, path: ['rules'] }
  return { items: Array.isArray(value) ? value : [], path: [] }
}

/** Whether a document is in the short form. */
export const isPlaybook = (document: Document): boolean =>
  itemsOf(document).items.some((item) => asMap(item)?.['falco_rule'] !== undefined)

/** The rules of a document in the short form. */
export const readPlaybook = (document: Document, problems: Problems): TalonFile => {
  const { items, path } = itemsOf(document)
  return { actions: [], rules: items.flatMap((item, i) => readRule(item, { document, path: [...path, i] }, problems)) }
}

const KEYS = ['name', 'falco_rule', 'description', 'actions']

const readRule = (item: unknown, spot: Spot, problems: Problems): TalonRule[] => {
  const raw = asMap(item) ?? {}
  const names = [raw['falco_rule']].flat()
  const name = textOf(raw['name'] ?? names[0])
  const tell = tellOf(problems, ruleTitle(name))
  const actions = Array.isArray(raw['actions']) ? raw['actions'] : []
  const unknown = Object.keys(raw).filter((key) => !KEYS.includes(key))
  for (const key of unknown) {
    tell({ ...below(spot, key), key: true }, `${key} cannot be translated${suggestion(key, KEYS)}`)
  }
  const named = names.length > 0 && names.every((one) => typeof one === 'string' && one !== '')
  if (!named) tell(spot, 'falco_rule must be the name of a Falco rule, or a list of names')
  const read = actions.map((action, i) => readAction(action, below(spot, 'actions', i), tell))
  if (unknown.length > 0 || !named || !read.every((action) => action !== undefined)) return []
  const at = below(spot, 'falco_rule')
  return [
    {
      name,
      spot,
      origin: originOf(spot, lineFinder(spot.document.text)),
      description: raw['description'] === undefined ? undefined : textOf(raw['description']),
      continue: undefined,
      dryRun: undefined,
      notifiers: [],
      match: {
        rules: names.map((value) => ({ value: textOf(value), spot: at })),
        tags: [],
        fields: [],
        priority: undefined,
        source: undefined,
      },
      actions: read,
    },
  ]
}

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : value == null ? '' : JSON.stringify(value)

const readAction = (item: unknown, spot: Spot, tell: Tell): TalonAction | undefined => {
  const raw = asMap(item) ?? {}
  const name = textOf(raw['name'])
  const actionner = ACTIONS.get(name)
  if (!actionner) {
    tell(below(spot, 'name'), `the action ${name || 'without a name'} is not known${suggestion(name, ACTIONS.keys())}`)
    return undefined
  }
  if (name === 'terminate_container') {
    const message = 'the API of Kubernetes ends no single container: kubernetes:terminate deletes the pod'
    tell(below(spot, 'name'), message, 'warning')
  }
  const at = below(spot, 'params')
  const given = Object.entries(asMap(raw['params']) ?? {})
  const parameters = given.map(([key, value]) => [key, parameterOf(key, value, below(at, key), tell)] as const)
  if (parameters.some(([, placed]) => placed === undefined)) return undefined
  return {
    name,
    spot,
    actionner: { value: actionner, spot: below(spot, 'name') },
    continue: true,
    ignoreErrors: undefined,
    parameters: new Map(parameters.flatMap(([key, placed]) => (placed && !TARGET.test(key) ? [[key, placed]] : []))),
    output: { target: undefined, parameters: new Map() },
    contexts: [],
  }
}

const parameterOf = (key: string, value: unknown, spot: Spot, tell: Tell): Placed | undefined => {
  const liquid = toLiquid(value)
  if (liquid === undefined) {
    tell(spot, `${key}: this template cannot be translated; only {{.Field.Name}} can`)
    return undefined
  }
  if (TARGET.test(key) && !(liquid instanceof Template)) {
    tell(spot, `${key}: an action is about the target of its event, not about ${textOf(value)}`)
    return undefined
  }
  return { value: liquid, spot }
}

/** A value with its Go templates as Liquid; undefined when one of them is more than a name. */
const toLiquid = (value: unknown): unknown => {
  if (typeof value === 'string') return templateOf(value)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, inner]) => [key, toLiquid(inner)] as const)
  if (entries.some(([, inner]) => inner === undefined)) return undefined
  return Array.isArray(value) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries)
}

const GO = /\{\{-?\s*(.*?)\s*-?\}\}/gs

const templateOf = (text: string): string | Template | undefined => {
  if (!text.includes('{{')) return text
  const names = [...text.matchAll(GO)].map((found) => found[1] ?? '')
  if (!names.every((name) => /^(?:\.[A-Za-z]\w*)+$/.test(name))) return undefined
  return new Template(text.replaceAll(GO, (_, name: string) => `{{ ${fieldOf(name)} }}`))
}

/** @example fieldOf('.K8S.Pod.Name') // 'k8s.pod.name' */
const fieldOf = (goName: string): string => {
  const name = goName
    .slice(1)
    .toLowerCase()
    .replace(/^output_?fields\./, '')
    .replace(/^k8s\.namespace(\.name)?$/, 'k8s.ns.name')
  return RESERVED.includes(name) && parseName(name).length === 1 ? name : nameOf(name)
}
