import { describe, expect, it } from 'vitest'
import { createProblems } from '../../../src/config/problems.ts'
import { variablesOf, withoutUncertain } from '../../../src/config/values/variables.ts'
import { readDocument } from '../../../src/config/read.ts'

const SECRET = { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }

describe('the variables of a pod', () => {
  it('have their values where these are written', () => {
    const { env } = variablesOf([{ name: 'A', value: 'x' }, { name: 'N', value: 7 }, { value: 'x' }], [])
    expect(env).toEqual({ A: 'x', N: '7' })
  })

  it('are referred to where a secret has the value, or another variable', () => {
    const { env, referring } = variablesOf([SECRET, { name: 'BOTH', value: '$(TOKEN)-x' }], ['HOST'])
    expect(Object.keys(env)).toEqual(['HOST', 'TOKEN', 'BOTH'])
    expect(referring(env)).toEqual({ HOST: '${env:HOST}', TOKEN: '${env:TOKEN}', BOTH: '${env:BOTH}' })
  })

  it('are referred to in part of a text, at any depth, without a port that was added', () => {
    const { env, referring } = variablesOf([SECRET], ['HOST'])
    const value = { list: [`${env['HOST']}:9092`, 1], url: `https://${env['HOST']}/x?y=${env['TOKEN']}`, none: null }
    expect(referring(value)).toEqual({
      list: ['${env:HOST}', 1],
      url: 'https://${env:HOST}/x?y=${env:TOKEN}',
      none: null,
    })
  })

  it('leave out what is wrong only for not being known', () => {
    const variables = variablesOf([SECRET], [])
    const problems = createProblems()
    const text = JSON.stringify({ outputs: { slack: { webhookUrl: variables.env['TOKEN'] }, loki: { hostPort: 'x' } } })
    const document = readDocument('f', text, createProblems(), { references: undefined })
    const told = withoutUncertain(problems, variables)
    told.add(document, { path: ['outputs', 'slack', 'webhookUrl'] }, 'must be an address')
    told.add(document, { path: ['outputs', 'loki', 'hostPort'] }, 'must be an address too')
    told.add(document, { path: ['outputs', 'slack'] }, `${variables.env['TOKEN']} is odd`, 'warning')
    expect(told.list().map(({ message }) => message)).toEqual(['${env:TOKEN} is odd', 'must be an address too'])
  })
})
