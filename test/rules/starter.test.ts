/** The rules that are shipped in config/rules: what they answer, when they act, and which events their cases select. */
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RuleInput } from '../../src/index.ts'
import type { Action, Use } from '../../src/plugin.ts'
import { createMatcher } from '../../src/rules/matcher.ts'
import { actionSteps } from '../../src/rules/rule.ts'
import { targetOf } from '../../src/target.ts'
import { anEvent } from '../../src/testing.ts'
import { AUDIT, CASES, EXAMPLE, FILES, itemsOf, loadFiles, STABLE, suiteOf } from './_starter.ts'

const { rules: SHIPPED } = loadFiles(FILES)

const usesOf = (rule: RuleInput): Use<Action>[] => actionSteps(rule).map(({ action }) => action)
const typesOf = (rule: RuleInput): string[] => usesOf(rule).map(({ plugin }) => plugin.type)
const isDestructive = (rule: RuleInput): boolean => usesOf(rule).some(({ plugin }) => plugin.changes === 'destructive')
const namesOf = (rules: readonly RuleInput[]): string[] => rules.map(({ name }) => name)

/** The names of the rules that match, as the gateway asks for them. */
const matching = (rules: readonly RuleInput[]) => {
  const matcher = createMatcher(rules)
  return (members: Record<string, unknown>): string[] => {
    const event = anEvent({ output_fields: {}, ...members })
    return namesOf(matcher.match({ event, target: targetOf(event) }))
  }
}

describe('the shipped files', () => {
  it.each(FILES)('%s is clean alone', (file) => {
    const { rules, problems } = loadFiles([file])
    expect(problems).toEqual([])
    expect(rules.length).toBeGreaterThan(0)
  })

  it('are clean together, and with the exceptions of the example', () => {
    expect(loadFiles(FILES).problems).toEqual([])
    expect(loadFiles([...FILES, EXAMPLE]).problems).toEqual([])
  })

  it('are found by a glob, which passes over their cases', () => {
    const { rules, problems } = loadFiles(['config/rules/*.yaml'])
    expect(problems).toEqual([])
    expect(namesOf(rules)).toEqual(expect.arrayContaining(namesOf(SHIPPED)))
  })

  it('have no list for exceptions that the example does not change', () => {
    const listsOf = (files: readonly string[]): string[] => files.flatMap(itemsOf).flatMap(({ list }) => list ?? [])
    const ours = ['private_networks', 'shell_programs']
    const lists = listsOf(FILES).filter((name) => !ours.includes(name))
    expect(lists.sort()).toEqual(listsOf([EXAMPLE]).sort())
  })

  it('say the same where they define the same macro', () => {
    const macros = new Map<string, string>()
    for (const file of FILES) {
      for (const { macro, condition = '' } of itemsOf(file)) {
        if (macro) expect(macros.get(macro) ?? condition, `${file}: ${macro}`).toBe(condition)
        if (macro) macros.set(macro, condition)
      }
    }
    expect(macros.has('in_pod')).toBe(true)
  })
})

describe('the shipped rules', () => {
  const named = SHIPPED.flatMap((rule) => rule.match?.rules ?? [])

  it('answer every stable rule of Falco', () => {
    expect(STABLE.filter((name) => !named.includes(name))).toEqual([])
  })

  it('name no rule that Falco does not have', () => {
    expect(named.filter((name) => !STABLE.includes(name) && !AUDIT.includes(name))).toEqual([])
  })

  it('are bound to rules of Falco by name, so that they are found without a scan', () => {
    expect(SHIPPED.filter(({ match }) => !match?.rules?.length)).toEqual([])
  })

  it.each(SHIPPED)('$name: says why, and keeps the event before anything else', (rule) => {
    expect(rule.description?.length).toBeGreaterThan(100)
    expect(typesOf(rule)[0]).toBe('evidence:save')
  })

  it('end pods in three cases only, as the last step', () => {
    const ending = SHIPPED.filter((rule) => typesOf(rule).includes('kubernetes:terminate'))
    expect(namesOf(ending)).toEqual(namesOf(SHIPPED.filter(isDestructive)))
    expect(namesOf(ending).sort()).toEqual([
      'End reverse shells',
      'Terminate pods that run a program from memory',
      'Terminate pods that write a release_agent',
    ])
    for (const rule of ending) expect(typesOf(rule).indexOf('kubernetes:terminate')).toBe(typesOf(rule).length - 1)
  })

  it('leave the mode to the gateway', () => {
    expect(SHIPPED.filter(({ mode }) => mode !== undefined)).toEqual([])
  })
})

describe('an event that does not say what it is about', () => {
  const match = matching(SHIPPED)
  const strong = new Set(
    namesOf(SHIPPED.filter((rule) => typesOf(rule).some((type) => /:(networkpolicy|terminate)$/.test(type)))),
  )
  const identity = ['k8s.ns.name', 'k8s.pod.name', 'container.image.repository']
  const value = fc.constantFrom<string | null | undefined>('x', 'sandbox', '', '<NA>', 'N/A', null, undefined)
  const events = fc.record({
    rule: fc.constantFrom(...STABLE),
    output_fields: fc.record({
      'k8s.ns.name': value,
      'k8s.pod.name': value,
      'container.image.repository': value,
      'proc.name': fc.constantFrom('bash', 'node', undefined),
      'fd.sip': fc.constantFrom('203.0.113.9', '10.0.0.1', '::1', 'not an address', undefined),
    }),
  })
  const isKnown = (one: unknown): boolean => typeof one === 'string' && !['', '<NA>', 'N/A'].includes(one)

  it('neither ends a pod nor isolates it, and is still kept', () => {
    fc.assert(
      fc.property(events, (members) => {
        const found = match(members)
        const known = identity.every((name) => isKnown((members.output_fields as Record<string, unknown>)[name]))
        expect(found.length).toBe(1)
        if (!known) expect(found.filter((name) => strong.has(name))).toEqual([])
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('the cases', () => {
  it.each(FILES)('%s has cases, which load all files', (file) => {
    const { rules, cases } = suiteOf(file)
    const loaded = rules.map((name) => join(dirname(file), name))
    expect(loaded.sort()).toEqual([...FILES, EXAMPLE].sort())
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length)
  })

  it.each(SHIPPED)('$name: one that matches, and one that does not', (rule) => {
    const about = CASES.filter(({ event }) => rule.match?.rules?.includes(event.rule))
    expect(about.filter((one) => one.expect.rules.includes(rule.name))).not.toEqual([])
    expect(about.filter((one) => one.expect.rules.length === 0)).not.toEqual([])
  })

  it.each(SHIPPED.filter(isDestructive))('$name: one that a guard refuses', (rule) => {
    const refused = CASES.filter((one) => one.expect.rules.includes(rule.name) && one.expect.refused)
    expect(refused.flatMap((one) => one.expect.refused ?? [])).toContainEqual({
      step: 'terminate',
      reason: 'protected-namespace',
    })
  })

  it.each([...STABLE, ...AUDIT])('an alert of %s is answered in one of them', (name) => {
    expect(CASES.filter(({ event, expect }) => event.rule === name && expect.rules.length > 0)).not.toEqual([])
  })

  const withExceptions = matching(loadFiles([...FILES, EXAMPLE]).rules)
  const withoutExceptions = matching(SHIPPED)
  it.each(CASES)('$file: $name', ({ event, expect: wanted }) => {
    expect(withExceptions(event)).toEqual(wanted.rules)
    const plain = withoutExceptions(event)
    if (wanted.rules.length > 0) expect(plain).toEqual(wanted.rules)
  })

  it('differ by the exceptions of the example alone, but for what is no matter of ours', () => {
    const never = CASES.filter(
      ({ event, expect }) => expect.rules.length === 0 && withoutExceptions(event).length === 0,
    )
    expect(never.map(({ name }) => name).sort()).toEqual([
      'a debugger is expected',
      'an event of activity alone is not answered',
    ])
  })
})
