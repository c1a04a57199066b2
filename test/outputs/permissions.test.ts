import { describe, expect, it } from 'vitest'
import { outputs } from '../../outputs/index.ts'
import type { Output, PolicyRule } from '../../src/plugin.ts'

/** What an output may need at most, by its example and every switch of it. */
const rightsOf = ({ permissions = [], config, example }: Output): readonly PolicyRule[] =>
  typeof permissions === 'function'
    ? permissions(config.parse({ ...(example?.config as object), serviceProxy: true }))
    : permissions

/** Rows of the table of rights in the notes: group, resources, verbs. */
const rowsIn = (notes = ''): string[][] =>
  [...notes.matchAll(/^\| ([\w.]+) \| (.+?) \| (.+?) \|$/gm)].map(([, group = '', resources = '', verbs = '']) => [
    group === 'core' ? '' : group,
    ...[resources, verbs].map((list) => list.replaceAll('`', '')),
  ])

const needing = (outputs as unknown as readonly Output[]).filter(({ permissions }) => permissions !== undefined)

describe.each(needing.map((output): [string, Output] => [output.type, output]))('%s', (_type, output) => {
  it('tells its rights in the notes as it declares them', () => {
    const declared = rightsOf(output).map(({ apiGroups, resources, verbs }) => [
      apiGroups.join(', '),
      resources.join(', '),
      verbs.join(', '),
    ])
    expect(declared.length).toBeGreaterThan(0)
    expect(rowsIn(output.notes)).toEqual(declared)
  })

  it('needs nothing on all objects at once, and nothing that deletes', () => {
    for (const { resources, verbs, apiGroups } of rightsOf(output)) {
      expect([...resources, ...verbs, ...apiGroups]).not.toContain('*')
      expect(verbs.join()).not.toMatch(/delete|escalate|impersonate|bind/)
    }
  })
})

it('there are some', () => {
  expect(needing.map(({ type }) => type).sort()).toEqual(
    expect.arrayContaining(['fission', 'k8sevents', 'kubeless', 'openfaas', 'policyreport']),
  )
})
