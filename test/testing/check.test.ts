import { describe, expect, it } from 'vitest'
import { slack } from '../../outputs/slack.ts'
import { http } from '../../inputs/http.ts'
import { label } from '../../src/actions/kubernetes/label.ts'
import { pod } from '../../src/contexts/pod.ts'
import { defineAction, defineContext, defineOutput, z } from '../../src/plugin.ts'
import { checkAction, checkContext, checkInput, checkOutput, testStep } from '../../src/testing.ts'
import { faultsOf } from '../../src/testing/check.ts'

const spec = { summary: 'Does something good.', config: z.strictObject({}) }
const knower = (permissions: string[]) =>
  defineContext({
    ...spec,
    type: 'mine',
    permissions: [{ apiGroups: [''], resources: ['pods'], verbs: permissions }],
    lookup: async () => ({}),
  })

describe('what authors call', () => {
  it('resolves for what keeps everything', async () => {
    await checkAction(label)
    await checkInput(http)
    await checkOutput(slack)
    await checkContext(pod)
  })

  it('rejects with all that is not kept, by the name of its case', async () => {
    const bad = defineAction({
      type: 'Mine',
      summary: 'does',
      config: z.strictObject({ token: z.string() }),
      changes: 'nothing',
      run: async () => ({ summary: 'done' }),
    })
    await expect(checkAction(bad as never)).rejects.toThrow(
      /^Mine does not keep:\n- has a well-formed type: .*\n- has a summary of one sentence: .*\n- describes every setting: .*: token\n- marks its secrets: .*: token$/,
    )
  })

  it('runs what it is given a step for', async () => {
    const changing = defineAction({
      ...spec,
      type: 'mine:act',
      changes: 'reversible',
      dryRun: true,
      run: async (_settings, step) => {
        await step.http({ url: 'https://a.example/x', body: {} })
        return { summary: 'done' }
      },
    })
    await checkAction(changing)
    await expect(checkAction(changing, { step: (members) => testStep(members) })).rejects.toThrow(
      /changes nothing in a dry run/,
    )
  })

  it('of a context refuses permissions that do more than read', async () => {
    await checkContext(knower(['get', 'list', 'watch']))
    await expect(checkContext(knower(['get', 'patch']))).rejects.toThrow(/to read only: verb: patch/)
  })
})

describe('what is checked when a stranger is loaded', () => {
  it('runs none of it', async () => {
    let ran = 0
    const output = defineOutput({
      ...spec,
      type: 'mine',
      example: { config: {}, sends: { url: 'https://a.example', body: {} } },
      open: () => {
        ran++
        return { send: async () => {} }
      },
    })
    expect(await faultsOf('output', output)).toEqual([])
    expect(ran).toBe(0)
    await expect(checkOutput(output)).rejects.toThrow(/sends what its example says/)
  })

  it('is told in a line each', async () => {
    const faults = await faultsOf('resource', { ...spec, type: 'Not-One', summary: '' })
    expect(faults.map((fault) => fault.split(':')[0])).toEqual([
      'has a well-formed type',
      'has a summary of one sentence',
    ])
    for (const fault of faults) expect(fault).not.toContain('\n')
  })
})
