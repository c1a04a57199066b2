import { describe, expect, it } from 'vitest'
import { compileCondition, type Definitions, namesIn, parseCondition } from '../../src/rules/condition.ts'
import { anEvent } from '../../src/testing.ts'

const event = anEvent({
  output_fields: { 'proc.name': 'bash', 'user.uid': 0, 'k8s.ns.name': 'shop', 'fd.sip': '10.0.0.1' },
})

describe('lists and macros', () => {
  const definitions: Definitions = {
    lists: new Map([
      ['shells', ['bash', 'zsh']],
      ['networks', ['"10.0.0.0/8"', "'fd00::/8'"]],
      ['odd', ['"a" b', '"x\\q"', '"']],
      ['none', []],
    ]),
    macros: new Map([
      ['in_shop', parseCondition('k8s.ns.name = shop')],
      ['not_root', parseCondition('user.uid != 0 or user.uid = 1')],
    ]),
  }
  const holds = (text: string): boolean => compileCondition(text, definitions)({ event })

  it.each([
    ['proc.name in (shells)', true],
    ['proc.name in shells', true],
    ['proc.name intersects shells', true],
    ['proc.name in (sh, shells)', true],
    ['proc.name in ("shells")', false],
    ['proc.name in (none)', false],
    ['proc.name startswith anyof shells', true],
    ['proc.name != allof (shells)', false],
    ['fd.snet in (networks)', true],
    ['fd.snet in networks', true],
    ['proc.name in (odd)', false],
    ['in_shop', true],
    ['not in_shop', false],
    ['in_shop and proc.name in (shells)', true],
    ['(in_shop)and(not not_root)', true],
    ['in_shop and not_root', false],
    ['not not_root and in_shop', true],
    ['in_shop = x', false],
  ])('are put in: %s', (text, expected) => {
    expect(holds(text)).toBe(expected)
  })

  it('that are not there are refused with the nearest name', () => {
    const refusal = (text: string): unknown => {
      try {
        return parseCondition(text, definitions)
      } catch (error) {
        return error
      }
    }
    expect(refusal('a = b and in_shpo')).toMatchObject({
      message: 'no macro is named in_shpo; did you mean `in_shop`?',
      offset: 10,
    })
    expect(refusal('proc.name in shels')).toMatchObject({
      message: 'no list is named shels; did you mean `shells`?',
      offset: 13,
    })
    expect(refusal('in_shop bash')).toMatchObject({
      message: 'expected and, or, or the end, found bash',
      offset: 8,
    })
    expect(refusal('priority >= shells')).toMatchObject({ offset: 12 })
    expect(refusal('priority in shells')).toMatchObject({ offset: 12 })
  })

  it('bring their checks to the place where they are used', () => {
    const macros = new Map([
      ['two', parseCondition('user.uid != 0 or user.uid = 1')],
      ['made', parseCondition('not join(",", (x.y, "z")) = val(x.z)')],
    ])
    const parsed = parseCondition('a = b and two or made', { lists: new Map(), macros })
    expect([...namesIn(parsed)].map(({ offset }) => offset)).toEqual([0, 10, 10, 17, 17])
  })

  it('cannot grow a condition without bound', () => {
    const macros = new Map([['m0', parseCondition('a = b or a = c')]])
    const grow = (): void => {
      for (let i = 1; i < 40; i++)
        macros.set(`m${i}`, parseCondition(`m${i - 1} or m${i - 1}`, { lists: new Map(), macros }))
    }
    expect(grow).toThrow('macros make more than 25000 checks of it')
  })

  it('cannot nest a condition without bound', () => {
    const macros = new Map([['m0', parseCondition('a = b')]])
    const nest = (): void => {
      for (let i = 1; i < 2_000; i++) {
        macros.set(`m${i}`, parseCondition(`not (c = d and m${i - 1})`, { lists: new Map(), macros }))
      }
    }
    expect(nest).toThrow('macros nest more than 500 levels deep')
  })
})
