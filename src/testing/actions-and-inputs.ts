/** What every action and every input keeps, as cases. */
import assert from 'node:assert/strict'
import type { Action, Change, Input, PolicyRule } from '../plugin.ts'
import { checkSettings, isTemplate } from '../settings.ts'
import { type Case, specCases, toCase } from './cases.ts'
import { testInputIo, type TestInputIo, type TestStep } from './io.ts'

export interface ActionCaseOptions {
  /** A step that the example can run in, e.g. with a fake cluster. Without it only what needs no run is checked. */
  readonly step?: (members: { readonly dryRun: boolean; readonly mode: 'observe' | 'enforce' }) => TestStep
}

const CHANGES: readonly Change[] = ['nothing', 'reversible', 'destructive']

/**
 * What every action keeps: strict, described and redacted settings; a valid example; a known kind of change;
 * well-formed permissions; and, when it declares `dryRun` and a step is given, no request that changes something in it.
 * @example
 * import { actionCases } from 'yarak/testing'
 * describe('quarantine', () => { for (const { name, run } of actionCases(quarantine)) it(name, run) })
 */
export const actionCases = (action: Action, options: ActionCaseOptions = {}): Case[] => [
  ...specCases(action, /^[a-z0-9-]+(:[a-z0-9-]+)?$/),
  toCase('says what it changes', () => {
    assert.ok(CHANGES.includes(changeOf(action)), `changes: ${String(changeOf(action))}`)
  }),
  toCase('needs well-formed permissions', () => {
    for (const rule of permissionsOf(action)) checkPolicyRule(rule)
  }),
  ...(action.example === undefined ? [] : exampleCases(action)),
  ...(action.dryRun === true && options.step ? [dryRunCase(action, options.step)] : []),
]

/** The example's settings; undefined when templates stand in them, which only a run can fill. */
const exampleParams = ({ config, example }: Action): unknown =>
  hasTemplate(example) ? undefined : config.parse(example ?? {})

/** A member that may depend on the settings, for the example's. */
const resolved = <T>(action: Action, value: T | ((params: unknown) => T), otherwise: T): T => {
  if (typeof value !== 'function') return value
  const params = exampleParams(action)
  return params === undefined ? otherwise : (value as (params: unknown) => T)(params)
}

const changeOf = (action: Action): Change => resolved<Change>(action, action.changes, 'nothing')

const permissionsOf = (action: Action): readonly PolicyRule[] =>
  resolved<readonly PolicyRule[]>(action, action.permissions ?? [], [])

/** Kubernetes' verbs; `*` would hand out more than an action uses. */
const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection']

export const checkPolicyRule = (rule: PolicyRule, verbs: readonly string[] = VERBS): void => {
  assert.ok(rule.apiGroups.length > 0 && rule.resources.length > 0 && rule.verbs.length > 0, 'an empty list')
  for (const group of rule.apiGroups) assert.match(group, /^([a-z0-9-]+(\.[a-z0-9-]+)*)?$/)
  for (const resource of rule.resources) assert.match(resource, /^[a-z]+(\/[a-z]+)?$/)
  for (const verb of rule.verbs) assert.ok(verbs.includes(verb), `verb: ${verb}`)
}

const hasTemplate = (value: unknown): boolean =>
  isTemplate(value) || (typeof value === 'object' && value !== null && Object.values(value).some(hasTemplate))

const exampleCases = (action: Action): Case[] => [
  toCase('has an example with valid settings', () => {
    const problems = checkSettings(action.config, action.example, { templates: true })
    assert.deepEqual(
      problems.map(({ message }) => message),
      [],
    )
  }),
]

const READS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** The API server's own dry run is a parameter of the query. */
const isHarmless = ({ method, url }: { method: string; url: string }): boolean =>
  READS.has(method) || new URL(url).searchParams.get('dryRun') === 'All'

const dryRunCase = (action: Action, step: NonNullable<ActionCaseOptions['step']>): Case =>
  toCase('changes nothing in a dry run', async () => {
    const used = step({ dryRun: true, mode: 'observe' })
    try {
      await action.run(exampleParams(action), used)
      assert.deepEqual(
        used.requests.filter((request) => !isHarmless(request)),
        [],
      )
    } finally {
      await used.close()
    }
  })

export interface InputCaseOptions {
  /** Settings to run with. Without them only what needs no run is checked. */
  readonly config?: unknown
  readonly io?: () => TestInputIo
}

/**
 * What every input keeps: strict, described and redacted settings; routes or a run; and, with settings given, that
 * `run` ends when the gateway stops.
 * @example
 * import { inputCases } from 'yarak/testing'
 * describe('nats', () => { for (const { name, run } of inputCases(nats)) it(name, run) })
 */
export const inputCases = (input: Input, options: InputCaseOptions = {}): Case[] => [
  ...specCases(input, /^[a-z0-9]+(\.[a-z0-9]+)?$/),
  toCase('says whether its source redelivers', () => assert.equal(typeof input.replayable, 'boolean')),
  toCase('has routes or a run', () => assert.ok(input.routes ?? input.run, 'neither routes nor run')),
  ...(options.config !== undefined && input.run ? [stopCase(input, options)] : []),
]

const stopCase = (input: Input, { config, io = testInputIo }: InputCaseOptions): Case =>
  toCase('ends when the gateway stops', async () => {
    const used = io()
    const running = input.run?.(input.config.parse(config), used)
    setImmediate(() => used.stop())
    await running
    await used.close()
  })
