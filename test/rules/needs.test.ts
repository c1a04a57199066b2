import { describe, expect, it } from 'vitest'
import { createGateway } from '../../src/index.ts'
import { log } from '../../src/actions/log.ts'
import { parseEvent } from '../../src/event.ts'
import { missingFields, needsOf } from '../../src/rules/needs.ts'
import type { RuleInput } from '../../src/rules/rule.ts'
import { alert } from '../kit.ts'

const rule = (more: Partial<RuleInput>): RuleInput => ({ name: 'A', steps: [log({})], ...more })

const fieldsOf = (more: Partial<RuleInput>) => needsOf(rule(more)).map(({ anyOf: [first] }) => first?.join())

describe('the fields that a rule looks at', () => {
  it.each<[Partial<RuleInput>, readonly string[]]>([
    [{ condition: 'proc.name = sh and rule = X and fields["a.b"] exists' }, ['proc.name']],
    [{ condition: 'k8s.ns.name exists and not k8s.ns.name = x' }, []],
    [{ condition: 'fields["user.name"] = x' }, ['user.name']],
    [{ condition: 'tolower(proc.name) = val(proc.pname)' }, ['proc.name', 'proc.pname']],
    [{ match: { output_fields: ['a.b=1, c.d!=2'] } }, ['a.b', 'c.d']],
    [{ steps: [log({ message: '{{ user.name }} {{rule}} {{ x.y | default: "" }} {{ target.pod }}' })] }, ['user.name']],
    [{ steps: [{ action: log({}), if: 'user.uid = 0 and steps.x.outcome = failed' }] }, ['user.uid']],
    [{}, []],
  ])('of %j are %j', (more, fields) => {
    expect(fieldsOf(more)).toEqual(fields)
  })

  it('may be answered by others', () => {
    const [need] = needsOf(rule({ condition: 'fd.ip = 10.0.0.1' }))
    expect(need?.anyOf).toContainEqual(['fd.sip'])
  })

  it('are missing when the event does not have them', () => {
    const event = parseEvent(alert(), { id: '', input: '' })
    const missing = missingFields(rule({ condition: 'proc.name = bash or user.name = x or user.name = y' }))
    expect(missing({ event })).toEqual(['user.name'])
  })
})

it('a match that lacks a field is counted by rule and field', async () => {
  const gateway = createGateway({
    rules: [rule({ condition: 'proc.name = bash', steps: [log({ message: '{{ user.name }}' })] })],
  })
  await (
    await gateway.emit(alert())
  ).done
  const metrics = await (await gateway.ops.request('/metrics')).text()
  expect(metrics).toContain('yarak_rule_field_missing_total{rule="A",field="user.name"} 1\n')
  expect(metrics).not.toContain('field="proc.name"')
  await gateway.stop()
})
