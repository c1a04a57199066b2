import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readFalcoConfig } from '../../src/lint/falco-config.ts'
import { type FalcoRule, fieldsIn, readFalcoRules } from '../../src/lint/falco-rules.ts'

const shell: FalcoRule = { name: 'Shell in x', output: '', source: 'syscall', enabled: true, tags: ['a', 'b'] }

const asFile = (value: unknown) => ({
  file: 'f',
  text: '',
  value,
  parsed: true,
  places: new Map(),
  secrets: new Set<never>(),
})

describe('falco.yaml', () => {
  it.each([
    [[{ disable: { rule: 'Shell in x' } }], false],
    [[{ disable: { rule: 'Shell*' } }], false],
    [[{ disable: { rule: '*x' } }], false],
    [[{ disable: { rule: 'Shell' } }], true],
    [[{ disable: { rule: 'S.*' } }], true],
    [[{ disable: { tag: 'a' } }], false],
    [[{ disable: { tag: 'c' } }], true],
    [[{ disable: { rule: '*' } }, { enable: { tag: 'b' } }], true],
    [[{ enable: { tag: 'b' } }, { disable: { rule: '*' } }], false],
  ])('by its rules %j the rule is on: %s', (rules, on) => {
    expect(readFalcoConfig({ rules }).isEnabled(shell)).toBe(on)
  })

  it('as Falco ships it adds what the container plugin suggests, to alerts of syscalls', () => {
    expect(readFalcoConfig().added(shell)).toEqual(expect.arrayContaining(['evt.time', 'k8s.pod.name', 'container.id']))
    expect(readFalcoConfig().added({ ...shell, source: 'k8s_audit' })).toEqual(['evt.time'])
    expect(readFalcoConfig({}).added(shell)).toEqual(['evt.time'])
  })

  it('may be anything at all', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const config = readFalcoConfig({ append_output: value, rules: value })
        expect(Array.isArray(config.added(shell))).toBe(true)
        expect(typeof config.isEnabled(shell)).toBe('boolean')
        expect(readFalcoConfig(value).added(shell)[0]).toBe('evt.time')
      }),
    )
  })
})

describe("Falco's rules files", () => {
  it('may be anything at all', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        for (const items of [value, [value], [{ rule: 'A', output: value, tags: value, override: value }]]) {
          for (const rule of readFalcoRules([asFile(items)]).values()) expect(typeof rule.output).toBe('string')
        }
      }),
    )
  })

  it('a change of a rule that is not there makes none', () => {
    expect(readFalcoRules([asFile([{ rule: 'A', enabled: false }])]).size).toBe(0)
    expect(readFalcoRules([asFile([{ rule: 'A', append: true, condition: 'x' }])]).size).toBe(0)
  })

  it.each([
    ['user=%user.name (%proc.aname[2])', ['user.name', 'proc.aname[2]']],
    ['%evt.arg.flags. %fd.name, 100%', ['evt.arg.flags', 'fd.name']],
    ['%container.info', ['container.id', 'container.name']],
    ['none', []],
  ])('the output %j has the fields %j', (output, fields) => {
    expect(fieldsIn(output)).toEqual(fields)
  })
})
