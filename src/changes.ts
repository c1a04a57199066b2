/** What a reload changes, for people. */
import { isDeepStrictEqual } from 'node:util'
import { outputId } from './generation.ts'
import { type GatewayOptions, inputOf } from './options.ts'

/** One difference between two sets of options. */
export interface Change {
  readonly what:
    | 'rule'
    | 'output'
    | 'guards'
    | 'mode'
    | 'cluster'
    | 'enrich'
    | 'metrics'
    | 'redact'
    | 'traceUrl'
    | 'telemetry'
    | 'claims'
    | 'input'
    | 'resource'
    | 'context'
  /** Empty where there is only one. */
  readonly name: string
  readonly change: 'added' | 'removed' | 'changed'
  /** It takes effect at the next start only. */
  readonly needsRestart: boolean
}

type What = Change['what']
type Named = ReadonlyMap<string, unknown>

/** @example compareOptions(old, { ...old, mode: 'enforce' }) // [{ what: 'mode', change: 'changed', ... }] */
export const compareOptions = (before: GatewayOptions, after: GatewayOptions): Change[] => [
  ...compare('rule', rulesOf(before), rulesOf(after)),
  ...compare('output', outputsOf(before), outputsOf(after)),
  ...whole('guards', before.guards ?? {}, after.guards ?? {}),
  ...whole('mode', before.mode ?? 'observe', after.mode ?? 'observe'),
  ...whole('cluster', before.cluster, after.cluster),
  ...whole('enrich', before.enrich, after.enrich),
  ...compare('context', usesOf(before.contexts), usesOf(after.contexts)),
  ...whole('metrics', before.metrics ?? {}, after.metrics ?? {}, true),
  ...whole('redact', before.redact, after.redact, true),
  ...whole('traceUrl', before.traceUrl, after.traceUrl, true),
  ...whole('telemetry', before.telemetry ?? {}, after.telemetry ?? {}, true),
  ...whole('claims', before.claims?.type, after.claims?.type, true),
  ...compare('input', inputsOf(before), inputsOf(after), true),
  ...compare('resource', usesOf(before.resources), usesOf(after.resources), true),
]

/** @example textOfChange({ what: 'output', name: 'slack', change: 'added' }) // 'output slack added' */
export const textOfChange = ({
  what,
  name,
  change,
}: Partial<Pick<Change, 'what'>> & Pick<Change, 'name' | 'change'>): string =>
  [what, name, change].filter(Boolean).join(' ')

const whole = (what: What, before: unknown, after: unknown, needsRestart = false): Change[] =>
  isDeepStrictEqual(before, after) ? [] : [{ what, name: '', change: 'changed', needsRestart }]

const compare = (what: What, before: Named, after: Named, needsRestart = false): Change[] => [
  ...[...after].flatMap(([name, value]): Change[] => {
    if (!before.has(name)) return [{ what, name, change: 'added', needsRestart }]
    return isDeepStrictEqual(before.get(name), value) ? [] : [{ what, name, change: 'changed', needsRestart }]
  }),
  ...[...before.keys()]
    .filter((name) => !after.has(name))
    .map((name): Change => ({ what, name, change: 'removed', needsRestart })),
]

/** Where a rule stands in its file is no difference. */
const rulesOf = ({ rules = [] }: GatewayOptions): Named =>
  new Map(rules.map(({ origin: _, ...rule }) => [rule.name, rule]))

const outputsOf = ({ outputs = [] }: GatewayOptions): Named =>
  new Map(outputs.map((output) => [outputId(output), output]))

const inputsOf = ({ inputs = [] }: GatewayOptions): Named => new Map(inputs.map((input) => [inputOf(input).id, input]))

const usesOf = (uses: readonly { readonly id: string }[] = []): Named => new Map(uses.map((use) => [use.id, use]))
