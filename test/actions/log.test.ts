import { describe, expect, it } from 'vitest'
import { log } from '../../src/actions/log.ts'
import { aStep, perform } from './step.ts'

describe('log', () => {
  it('writes the message with rule, target and response beside it', async () => {
    const recorded = await aStep({ fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1' } })
    expect(await perform(log, { message: 'shell!', level: 'warn' }, recorded)).toEqual({ summary: 'logged: shell!' })
    expect(recorded.lines).toEqual([
      {
        level: 'warn',
        message: 'shell!',
        fields: {
          rule: 'React',
          response: 'abc123',
          event: 'event-1',
          priority: 'Notice',
          target: 'pod/shop/web-1',
        },
      },
    ])
  })

  it('writes the output of the event when told nothing, as info', async () => {
    const recorded = await aStep({ response: { id: 'r', rule: 'R', step: 'act', traceparent: undefined } })
    await perform(log, {}, recorded)
    expect(recorded.lines).toMatchObject([{ level: 'info', message: 'a shell was spawned' }])
    expect(recorded.lines[0]?.fields).not.toHaveProperty('target')
    expect(recorded.lines[0]?.fields).not.toHaveProperty('traceparent')
  })

  it.each(['debug', 'info', 'warn', 'error'] as const)('can be %s', async (level) => {
    const recorded = await aStep()
    await perform(log, { level }, recorded)
    expect(recorded.lines[0]?.level).toBe(level)
  })

  it('sums a long message up', async () => {
    const { summary } = await perform(log, { message: 'x'.repeat(1_000) }, await aStep())
    expect(summary).toHaveLength('logged: '.length + 200)
  })

  it('changes nothing, and refuses other levels', () => {
    expect(log.changes).toBe('nothing')
    expect(() => log({ level: 'fatal' })).toThrow('level must be one of debug, info, warn, error')
  })
})
