/**
 * The variables that Talon puts into commands, scripts and file names. Those of the event our actions know themselves
 * (`event_variables`); those of contexts, and of the rule, come as arguments here. No value becomes part of a script.
 */
import { suggestion } from '../config/suggest.ts'
import type { TalonAction, Tell } from './talon-read.ts'
import { literal, Template } from './talon-template.ts'

type Settings = Readonly<Record<string, unknown>>

/** The texts in which Talon expands variables; `shell`: a shell reads it. */
const TEXTS: ReadonlyMap<string, { readonly name: string; readonly shell: boolean }> = new Map([
  ['kubernetes:exec', { name: 'command', shell: true }],
  ['kubernetes:script', { name: 'script', shell: true }],
  ['kubernetes:download', { name: 'file', shell: false }],
])

/** The actions that send the members of contexts along. */
const SENDERS: ReadonlySet<string> = new Set(['aws:lambda', 'gcp:function'])

/** Talon's contexts: how it begins the names of their members, and those, which are named so in our contexts too. */
const CONTEXTS: ReadonlyMap<string, { readonly prefix: string; readonly members: readonly string[] }> = new Map([
  ['aws', { prefix: 'aws', members: ['instance_profile_arn', 'instance_profile_id', 'region'] }],
  [
    'k8snode',
    {
      prefix: 'node',
      members: ['hostname', 'instancetype', 'role', 'topology.region', 'topology.zone', 'spec.providerid'],
    },
  ],
])

/** What Talon calls the members of the contexts of an action, e.g. `node.topology.zone`, and their templates. */
const membersOf = ({ contexts }: TalonAction): (readonly [string, Template])[] =>
  contexts.flatMap(({ value: context }) => {
    const { prefix, members } = CONTEXTS.get(context) ?? { prefix: '', members: [] }
    return members.map(
      (member) => [`${prefix}.${member}`, new Template(`{{ context.${context}.${member} | default: "" }}`)] as const,
    )
  })

export interface About {
  readonly type: string
  readonly rule: string
  readonly action: TalonAction
  readonly title: string
  readonly tell: Tell
}

/** The settings of an action with its variables translated; what cannot be is told. */
export const withVariables = (settings: Settings, about: About): Settings => {
  const text = TEXTS.get(about.type)
  tellContexts(about, settings, text !== undefined)
  if (SENDERS.has(about.type)) return withMembers(settings, about)
  const written = text && settings[text.name]
  if (!text || typeof written !== 'string') return settings
  const known = valuesOf(about)
  const named = [...new Set(namesIn(written))]
  for (const name of named) if (!known.has(name)) tellStrange(name, written, text.shell, about)
  const used = named.filter((name) => known.has(name))
  if (used.length === 0) return settings
  return text.shell
    ? { ...settings, [text.name]: scriptWith(written, used), args: used.map((name) => known.get(name)) }
    : { ...settings, [text.name]: new Template(nameWith(written, known)) }
}

/** Our actions have a setting for them, unless they send something else than the event. */
const withMembers = (settings: Settings, { action }: About): Settings => {
  const members = membersOf(action)
  return members.length === 0 || 'payload' in settings
    ? settings
    : { ...settings, context: Object.fromEntries(members) }
}

const NAMED = /\$(?:\{([A-Za-z_][\w-]*)\}|([A-Za-z_]\w*))/g

const namesIn = (text: string): string[] => Array.from(text.matchAll(NAMED), ([, braced, bare = '']) => braced ?? bare)

const valuesOf = ({ action, rule }: About): ReadonlyMap<string, unknown> => {
  const own: [string, unknown][] = [
    ['FALCO-TALON_RULE', rule],
    ['FALCO-TALON_ACTION', action.name],
    ['FALCO-TALON_ACTIONNER', action.actionner?.value ?? ''],
  ]
  const members = membersOf(action).map(([name, value]) => [name.toUpperCase().replaceAll('.', '_'), value] as const)
  return new Map([...own, ...members])
}

const tellContexts = ({ action, type, title, tell }: About, settings: Settings, isText: boolean): void => {
  for (const { value, spot } of action.contexts) {
    if (!CONTEXTS.has(value)) {
      const known = suggestion(value, CONTEXTS.keys())
      tell(spot, `${title}: additional_contexts: ${value} is not a known context${known}`, 'warning')
    } else if (isText && 'file' in settings && type === 'kubernetes:script') {
      const message = 'a script of a `file` is read at each run and gets none of its variables'
      tell(spot, `${title}: additional_contexts: ${value}: ${message}; write it as \`script\``, 'warning')
    } else if (SENDERS.has(type) && 'payload' in settings) {
      const message = 'the `payload` is sent instead of the event and its context'
      tell(spot, `${title}: additional_contexts: ${value}: ${message}`, 'warning')
    } else if (!isText && !SENDERS.has(type)) {
      tell(spot, `${title}: additional_contexts means nothing to ${type} and is ignored`, 'warning')
    }
  }
}

/** Falco's classes of fields, and what an event has besides. */
const OF_EVENT =
  /^(?:(?:EVT|PROC|THREAD|USER|GROUP|FD|FDLIST|FS|CONTAINER|K8S|K8SMETA|KA|JEVT|SYSLOG|CT|AWS|GCP|AZURE|OKTA|GITHUB)_|(?:PRIORITY|HOSTNAME|RULE|SOURCE|TAGS)$)/

/** Lower case, and what the script sets itself, is its own. */
const tellStrange = (name: string, text: string, shell: boolean, { title, tell, action }: About): void => {
  const isSet = new RegExp(`(?:^|[^$\\w])${name}=|\\b(?:for|read)\\s+(?:-\\w+\\s+)*${name}\\b`, 'm').test(text)
  if (OF_EVENT.test(name) || (shell && (isSet || name !== name.toUpperCase()))) return
  const here = shell ? 'the shell of the container has its own' : 'it stands for nothing'
  tell(
    action.spot,
    `${title}: $${name} is not of the event: Falco Talon has its own environment, here ${here}`,
    'warning',
  )
}

/** The script takes its values from its first arguments. */
const scriptWith = (text: string, names: readonly string[]): string => {
  const plain = (name: string): string => name.replaceAll('-', '_')
  const assign = names.map((name, i) => `${plain(name)}=\${${i + 1}}`).join('; ')
  const script = text.replaceAll(NAMED, (found, braced?: string) =>
    braced !== undefined && names.includes(braced) ? `\${${plain(braced)}}` : found,
  )
  return `${assign}; shift ${names.length}\n${script}`
}

const nameWith = (text: string, known: ReadonlyMap<string, unknown>): string =>
  String(literal(text)).replaceAll(NAMED, (found, braced?: string, bare?: string) =>
    String(literal(known.get(braced ?? bare ?? '') ?? found)),
  )
