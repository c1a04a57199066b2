/** What the engine makes of a step that only tries, and of one that is cut short. */
import { describe, expect, it } from 'vitest'
import { setTimeout } from 'node:timers/promises'
import { type GatewayOptions, YarakError } from '../src/index.ts'
import { alert, answering, probe, type Run } from './kit.ts'

type Steps = NonNullable<GatewayOptions['rules']>[number]['steps']

const stepOf = async (steps: Steps, options: GatewayOptions = {}) => {
  const gateway = answering(steps, options)
  const [report] = await (await gateway.emit(alert(), { authenticated: 'test' })).done
  await gateway.stop()
  const [step] = report?.steps ?? []
  if (!step) throw new Error('no step')
  return step
}

const lacking = (lacks?: string) => () => {
  throw new YarakError('refused', 'forbidden', { permanent: true, reason: 'forbidden', ...(lacks && { lacks }) })
}

const changing = (run: Run) => probe(run, { changes: 'reversible', dryRun: true })({})

describe('an action that may not even try', () => {
  it.each<[string, Steps, GatewayOptions]>([
    ['in observe mode', [changing(lacking('delete pods'))], { mode: 'observe' }],
    ['with dryRun', [{ action: changing(lacking('delete pods')), dryRun: true }], {}],
  ])('%s is simulated, and the right that is missing is named', async (_how, steps, options) => {
    expect(await stepOf(steps, options)).toMatchObject({
      outcome: 'succeeded',
      simulated: true,
      summary: 'would run test:probe (reversible; not verified: no delete pods)',
    })
  })

  it('is refused where it is to be done', async () => {
    expect(await stepOf([changing(lacking('delete pods'))])).toMatchObject({ outcome: 'refused' })
  })

  it.each([undefined, 'get pods', 'list pods', 'watch pods'])('is refused when it lacks %s', async (lacks) => {
    expect(await stepOf([changing(lacking(lacks))], { mode: 'observe' })).toMatchObject({
      outcome: 'refused',
      error: { reason: 'forbidden' },
    })
  })
})

describe('an action that is cut short', () => {
  const timed = (run: Run) => stepOf([{ action: probe(run)({}), timeout: '20ms' }])
  const untilCut = (signal: AbortSignal) => new Promise<void>((done) => signal.addEventListener('abort', () => done()))

  it('may say how far it came', async () => {
    const step = await timed(async (_params, { signal }) => {
      await untilCut(signal)
      throw new YarakError('interrupted', 'two of five are done', { cause: signal.reason })
    })
    expect(step).toMatchObject({
      outcome: 'timed_out',
      summary: 'two of five are done: not done after 0.02 s',
      error: { code: 'timed_out', reason: 'timeout' },
    })
  })

  it.each<[string, Run]>([
    ['fails for its own reason', () => Promise.reject(new YarakError('failed', 'something else'))],
    ['succeeds after all', () => 'too late'],
    ['does not end', () => setTimeout(3_000, undefined, { ref: false })],
  ])('is only late when it then %s', async (_what, then) => {
    const step = await timed(async (params, context) => {
      await untilCut(context.signal)
      return then(params, context)
    })
    expect(step).toMatchObject({ outcome: 'timed_out', summary: 'not done after 0.02 s' })
  })
})
