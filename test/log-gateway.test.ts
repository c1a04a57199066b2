/** The log of a whole gateway: what each line tells, and that no secret of an event is in any. */
import { describe, expect, it } from 'vitest'
import { createGateway, defineOutput, type GatewayOptions, type Step, YarakError } from '../src/index.ts'
import { createLog } from '../src/log.ts'
import { z } from '../src/plugin.ts'
import { alert, probe } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()

const TOKEN = 'ghp_abcdefghijklmnopqrstuvwxyz0123456789'
const PASSWORD = 'correct-horse-battery'

/** An alert that has a secret by its looks, and one by its place, wherever an event can have them. */
const leaky = () =>
  alert({
    output: `curl -H token:${TOKEN} by ${PASSWORD}`,
    tags: [TOKEN],
    output_fields: {
      'k8s.ns.name': 'shop',
      'k8s.pod.name': 'web-1',
      'proc.cmdline': `curl ${TOKEN}`,
      'user.password': PASSWORD,
      'proc.args': [TOKEN, `x\n${TOKEN}`],
    },
  })

/** Says all that it sees, in every way that a line has. */
const talkative = probe((_params, step: Step) => {
  const { fields, output } = step.event
  const text = fields['proc.cmdline'] as string
  const error = new YarakError('failed', `refused: ${text}`, { permanent: true, cause: new Error(output) })
  const circle: Record<string, unknown> = { text }
  circle.self = circle
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    step.log[level](`ran ${text}`, { text, list: [text], error, nested: { error }, circle, lines: `a\n${text}\nb` })
  }
  throw error
})

const failing = defineOutput({
  type: 'failing',
  summary: 'Takes nothing.',
  config: z.strictObject({}),
  open: (_config, io) => ({
    send: async (notices) => {
      const error = new YarakError('failed', JSON.stringify(notices), { permanent: true })
      io.log.debug('it fails', { error, notices })
      throw error
    },
  }),
})

const run = async (format: 'json' | 'pretty', options: GatewayOptions = {}) => {
  const lines: string[] = []
  const log = createLog({ level: 'debug', format, stream: { write: (text) => lines.push(text) } })
  const gateway = createGateway({
    mode: 'enforce',
    rules: [
      { name: 'all', steps: [talkative({ value: '{{ fields["proc.cmdline"] }}' })], notify: ['failing'], join: 0 },
    ],
    outputs: [failing({})],
    log,
    ...options,
  })
  await gateway.start()
  await (
    await gateway.emit(leaky())
  ).done
  await gateway.stop()
  return lines
}

const redact = { patterns: ['ghp_[a-z0-9]+'], fields: ['user.password'] }

describe('the log of a gateway', () => {
  it.each(['json', 'pretty'] as const)('as %s, at debug, has no secret of an event', async (format) => {
    const bare = (await run(format)).join('')
    expect([bare.includes(TOKEN), bare.includes(PASSWORD)]).toEqual([true, true])
    const lines = await run(format, { redact: { ...redact, patterns: [...redact.patterns, PASSWORD] } })
    expect(lines.length).toBeGreaterThanOrEqual(6)
    expect(lines.join('')).toContain('[redacted]')
    expect(lines.join('')).not.toContain(TOKEN)
    expect(lines.join('')).not.toContain(PASSWORD)
    expect(lines.join('')).not.toMatch(/ghp_|horse/)
  })

  it('has no secret by its place in the lines of the engine and of outputs', async () => {
    const lines = await run('json', { redact })
    const others = lines.filter((line) => (JSON.parse(line) as { plugin?: string }).plugin !== 'test:probe')
    expect(others.length).toBeGreaterThanOrEqual(2)
    expect(others.join('')).not.toMatch(/ghp_|horse/)
  })

  it('keeps the ids of the trace, whatever is redacted, and where errors were thrown at debug', async () => {
    const lines = await run('json', { redact: { ...redact, patterns: ['[0-9a-f]{16,}', 'ghp_[a-z0-9]+'] } })
    const ofStep = lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((one) => one.plugin === 'test:probe')
    const { traceId, spanId } = spans.one('action test:probe')
    expect(ofStep.map(({ level, trace_id, span_id }) => [level, trace_id, span_id])).toEqual(
      ['debug', 'info', 'warn', 'error'].map((level) => [level, traceId, spanId]),
    )
    expect(ofStep[0]).toMatchObject({
      error: { code: 'failed', stack: expect.stringContaining('log-gateway.test.ts') },
    })
  })
})
