/** Where the files of Talon's actions go. */
import { describe, expect, it } from 'vitest'
import { compileChain } from '../../src/chain.ts'
import { createTemplates } from '../../src/template.ts'
import { given, talon, type TalonOptions } from './_talon.ts'

const rule = (actionner: string, output: string, more = ''): string =>
  `- rule: R\n  match: { rules: [x] }\n  actions:\n    - { action: A, actionner: "${actionner}"${output && `, output: ${output}`}${more} }\n`

const read = (actionner: string, output: string, options?: TalonOptions) => {
  const { rules, told } = talon(rule(actionner, output), options)
  const [step] = given(rules) as { store?: string }[]
  for (const one of rules) compileChain(one, createTemplates())
  return { store: step?.store, steps: given(rules).length, told: told.map((line) => line.replace(/^\S+ /, '')) }
}

const S3 = '{ target: aws:s3, parameters: { bucket: evidence, prefix: captures } }'

describe("an output of Talon's", () => {
  it.each([
    ['aws:s3', 'bucket', 'aws.s3/evidence', { bucket: 'evidence' }],
    ['minio:s3', 'bucket', 'minio', { bucket: 'evidence', endpoint: 'http://x' }],
    ['gcp:gcs', 'bucket', 'gcp.storage', { bucket: 'evidence' }],
    ['local:file', 'destination', 'file/evidence', { dir: 'evidence' }],
  ])('%s is the store of the step', (target, key, id, settings) => {
    const output = `{ target: "${target}", parameters: { ${key}: evidence } }`
    const stores = { 'file/lines': { path: 'x' }, other: {}, [id]: settings }
    expect(read('kubernetes:tcpdump', output, { stores })).toEqual({ store: id, steps: 1, told: [] })
    expect(read('kubernetes:log', output, { stores })).toEqual({ store: id, steps: 1, told: [] })
  })

  it('is the one with its bucket, of several', () => {
    const stores = { 'aws.s3': { bucket: 'logs' }, 'aws.s3/evidence': { bucket: 'evidence' } }
    expect(read('kubernetes:tcpdump', S3, { stores }).store).toBe('aws.s3/evidence')
  })

  it('of another bucket is told of', () => {
    expect(read('kubernetes:tcpdump', S3, { stores: { 'aws.s3': { bucket: 'logs' } } })).toEqual({
      store: 'aws.s3',
      steps: 1,
      told: ['warning rule "R": action "A": output aws:s3: files go to aws.s3, whose bucket is logs, not evidence'],
    })
  })

  it('that is not configured is told of with what to add; what can only be kept there is left out', () => {
    const add = 'add to `outputs`: `aws.s3: { bucket: "evidence", prefix: "captures", tell: none }`'
    const start = 'warning rule "R": action "A": output aws:s3: no aws.s3 is configured; until there is one,'
    expect(read('kubernetes:tcpdump', S3, { stores: {} })).toEqual({
      store: undefined,
      steps: 0,
      told: [`${start} the action is left out; ${add}`],
    })
    expect(read('kubernetes:log', S3, { stores: {} })).toEqual({
      store: undefined,
      steps: 1,
      told: [`${start} files go to \`evidence\` in the data directory; ${add}`],
    })
  })

  it('leaves the other actions of the rule in place', () => {
    const text = `${rule('kubernetes:tcpdump', S3, ', continue: true')}    - { action: B, actionner: "test:anything" }\n`
    expect(given(talon(text, { stores: {} }).rules)).toMatchObject([{ id: 'b' }])
  })

  it('where nobody knows the outputs, is named by its type, and told of', () => {
    const { store, told } = read('kubernetes:tcpdump', S3)
    expect(store).toBe('aws.s3')
    expect(told).toEqual([expect.stringContaining('files go to the output aws.s3, which has to be there: `aws.s3: {')])
  })

  it.each([
    ['kubernetes:tcpdump', '', 'rule "R": action "A": an output is required'],
    ['kubernetes:tcpdump', '{ target: aws:s3 }', 'rule "R": action "A": output.parameters is required'],
    [
      'kubernetes:log',
      '{ target: aws:s4, parameters: { bucket: x } }',
      'rule "R": action "A": aws:s4 is not a known output; did you mean `aws:s3`?',
    ],
  ])('of %s: %s is an error, as in Talon', (actionner, output, message) => {
    expect(read(actionner, output, { stores: {} })).toEqual({ store: undefined, steps: 0, told: [message] })
  })

  it('of an action that makes no files means nothing', () => {
    expect(read('kubernetes:cordon', S3, { stores: {} })).toMatchObject({
      steps: 1,
      told: ['warning rule "R": action "A": output aws:s3: kubernetes:cordon makes no files, so it is ignored'],
    })
  })
})
