import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileName, lookup, parseName, RESERVED, type Scope } from '../src/names.ts'
import { targetOf } from '../src/target.ts'
import { anEvent, aReport } from '../src/testing.ts'

const event = anEvent({
  uuid: 'u-1',
  output_fields: {
    'k8s.ns.name': 'shop',
    'k8s.pod.name': 'web-1',
    'proc.aname[2]': 'systemd',
    'k8s.pod.label[app]': 'cart',
    'proc.name': 'bash',
    proc: { deep: { list: ['a', 'b'] } },
    'evt.time': 1_769_860_800_123_456_789n,
    'rule.id': 'shadowed',
    empty: null,
    nested: { inner: null, 'a.b': 1 },
  },
})

const [mark] = aReport().steps
if (!mark) throw new Error('the sample has no step')

const scope: Scope = {
  event,
  target: targetOf(event),
  cluster: 'prod',
  steps: { mark, 'kubernetes:label': { ...mark, summary: 'by type' } },
  response: { id: 'r-1', trace: 't-1', mode: 'enforce' },
  context: { aws: { region: 'eu-1' } },
}

describe('a name', () => {
  it.each([
    ['rule', 'Terminal shell in container'],
    ['priority', 'Notice'],
    ['source', 'syscall'],
    ['tags', ['container', 'shell', 'mitre_execution']],
    ['tags[1]', 'shell'],
    ['tags.size', 3],
    ['hostname', 'node-1'],
    ['output', event.output],
    ['time', event.time],
    ['uuid', 'u-1'],
    ['input', 'test'],
    ['k8s.ns.name', 'shop'],
    ['proc.name', 'bash'],
    ['proc.aname[2]', 'systemd'],
    ['k8s.pod.label[app]', 'cart'],
    ['proc.deep.list[1]', 'b'],
    ['proc.deep.list.size', 2],
    ['evt.time', 1_769_860_800_123_456_789n],
    ['nested["a.b"]', 1],
    ['fields["proc.aname[2]"]', 'systemd'],
    ["fields['proc.name']", 'bash'],
    ['fields.proc.name', 'bash'],
    ['fields["rule.id"]', 'shadowed'],
    ['target.pod', 'web-1'],
    ['target.key', 'pod/shop/web-1'],
    ['cluster', 'prod'],
    ['steps.mark.outcome', 'succeeded'],
    ['steps.mark.objects.pod', 'web-1'],
    ['steps["kubernetes:label"].summary', 'by type'],
    ['steps.kubernetes:label.summary', 'by type'],
    ['response.mode', 'enforce'],
    ['context.aws.region', 'eu-1'],
  ])('%s is found', (name, value) => {
    expect(lookup(parseName(name), scope)).toEqual(value)
    expect(compileName(name)(scope)).toEqual(value)
  })

  it.each([
    '',
    'nothing',
    'rule.id',
    'rule.length',
    'tags[9]',
    'proc.deep.size',
    'proc.nothing',
    'k8s',
    'k8s.ns',
    'empty',
    'fields["nothing"]',
    'fields.empty',
    'steps.other.outcome',
    'steps.mark.nothing',
    'constructor',
    'toString',
    '__proto__',
    'fields.constructor',
    'target.constructor.name',
    'steps.__proto__.x',
    'proc.deep.hasOwnProperty',
    'context.aws.nothing.more',
  ])('%s has no value', (name) => {
    expect(lookup(parseName(name), scope) ?? undefined).toBeUndefined()
    expect(compileName(name)(scope) ?? undefined).toBeUndefined()
  })

  it('is reserved, whether the scope has it or not', () => {
    const bare: Scope = { event: anEvent({ output_fields: { cluster: 'mine', steps: 'mine', 'target.pod': 'mine' } }) }
    for (const name of ['cluster', 'steps', 'target.pod']) expect(compileName(name)(bare)).toBeUndefined()
    expect(compileName('fields["target.pod"]')(bare)).toBe('mine')
    expect(RESERVED).toEqual(expect.arrayContaining(['rule', 'fields', 'target', 'steps', 'response', 'context']))
  })

  it('gives all the fields by their root', () => {
    expect(lookup(['fields'], scope)).toBe(event.fields)
  })
})

describe('the parts of a name', () => {
  it.each([
    ['steps.mark.outcome', ['steps', 'mark', 'outcome']],
    ['fields["x.y"]', ['fields', 'x.y']],
    ["fields['x\"y']", ['fields', 'x"y']],
    ['fields["a]b"].c', ['fields', 'a]b', 'c']],
    ['proc.aname[2]', ['proc', 'aname', 2]],
    ['k8s.pod.label[app.io/x]', ['k8s', 'pod', 'label', 'app.io/x']],
    ['["rule"]', ['rule']],
    ['a[]', ['a', '']],
    ['', []],
    ['...', []],
  ])('%s', (name, parts) => {
    expect(parseName(name)).toEqual(parts)
  })

  it('of any text can be looked up', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab.[]"\'0 \\') }), (name) => {
        const value = compileName(name)(scope)
        return value === undefined || value === null || typeof value !== 'function'
      }),
    )
  })

  it('find a field of any name', () => {
    const names = fc.string({ minLength: 1, unit: 'grapheme' }).filter((name) => !name.includes('"'))
    fc.assert(
      fc.property(names, (name) => {
        const found = compileName(`fields["${name}"]`)({ event: anEvent({ output_fields: { [name]: 'here' } }) })
        expect(found).toBe('here')
      }),
    )
  })
})
