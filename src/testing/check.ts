/** The cases of a plugin run at once, for authors without a test runner, and for whoever loads what strangers declare. */
import type { Kind } from '../declare.ts'
import type { Action, Context, Input, Output, Spec } from '../plugin.ts'
import {
  type ActionCaseOptions,
  actionCases,
  checkPolicyRule,
  type InputCaseOptions,
  inputCases,
} from './actions-and-inputs.ts'
import { type Case, specCases, toCase } from './cases.ts'
import { type OutputCaseOptions, outputCases } from './outputs.ts'

/**
 * What every context keeps: strict, described and redacted settings; a type that a template can name; well-formed
 * permissions that only read.
 * @example for (const { name, run } of contextCases(owner)) it(name, run)
 */
export const contextCases = (context: Context): Case[] => [
  ...specCases(context, TYPES.context),
  toCase('needs well-formed permissions, to read only', () => {
    for (const rule of context.permissions ?? []) checkPolicyRule(rule, ['get', 'list', 'watch'])
  }),
]

/**
 * Rejects with all that an action does not keep; see {@link actionCases}.
 * @example await checkAction(quarantine, { step: (members) => testStep({ ...members, resources: { kubernetes } }) })
 */
export const checkAction = (action: Action, options?: ActionCaseOptions): Promise<void> =>
  check(action, actionCases(action, options))

/** Rejects with all that an output does not keep; see {@link outputCases}. */
export const checkOutput = (output: Output, options?: OutputCaseOptions): Promise<void> =>
  check(output, outputCases(output, options))

/** Rejects with all that an input does not keep; see {@link inputCases}. */
export const checkInput = (input: Input, options?: InputCaseOptions): Promise<void> =>
  check(input, inputCases(input, options))

/** Rejects with all that a context does not keep; see {@link contextCases}. */
export const checkContext = (context: Context): Promise<void> => check(context, contextCases(context))

const check = async ({ type }: Spec, cases: readonly Case[]): Promise<void> => {
  const faults = await faultsIn(cases)
  if (faults.length > 0) throw new Error([`${type} does not keep:`, ...faults.map((one) => `- ${one}`)].join('\n'))
}

const TYPES: Readonly<Record<Kind, RegExp>> = {
  input: /^[a-z0-9]+(\.[a-z0-9]+)?$/,
  output: /^[a-z0-9]+(\.[a-z0-9]+)?$/,
  action: /^[a-z0-9-]+(:[a-z0-9-]+)?$/,
  context: /^[a-z][a-z0-9-]*$/,
  resource: /^[a-z0-9]+$/,
}

/** What a declaration does not keep, as far as can be told without running any of it: a line for each case. */
export const faultsOf = (kind: Kind, spec: Spec): Promise<readonly string[]> => faultsIn(declaredCases(kind, spec))

const declaredCases = (kind: Kind, spec: Spec): readonly Case[] => {
  if (kind === 'action') return actionCases(spec as Action)
  if (kind === 'input') return inputCases(spec as Input)
  return kind === 'context' ? contextCases(spec as Context) : specCases(spec, TYPES[kind])
}

const faultsIn = async (cases: readonly Case[]): Promise<readonly string[]> => {
  const faults: string[] = []
  for (const { name, run } of cases) {
    await run().catch((error: unknown) => void faults.push(`${name}: ${textOf(error)}`))
  }
  return faults
}

/** With what was found, where the message says only what to do about it. */
const textOf = (error: unknown): string => {
  const { message = String(error), actual, generatedMessage } = error as Error & Partial<Failed>
  const [line = ''] = message.split('\n')
  return generatedMessage === false && Array.isArray(actual) ? `${line}: ${actual.join(', ')}` : line
}

interface Failed {
  readonly actual: unknown
  readonly generatedMessage: boolean
}
