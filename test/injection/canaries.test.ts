/** The canaries are found where an action does what none may: so the tests that find none mean something. */
import { execFileSync } from 'node:child_process'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { createTemplates } from '../../src/template.ts'
import { type Action, defineAction, type Step, type Use, z } from '../../src/plugin.ts'
import { parseEvent } from '../../src/event.ts'
import { TOKEN } from '../fake-kubeconfig.ts'
import { recordSpans } from '../spans.ts'
import { expectNoCanary } from './canaries.ts'
import { PAYLOADS } from './payloads.ts'
import { aWorld, type World } from './world.ts'

const spans = recordSpans()

type Careless = (value: string, world: World, step: Step) => unknown

const rendered = (value: string): unknown =>
  createTemplates()
    .compile(value)
    .render({
      event: parseEvent('{"rule":"r","priority":"Notice","time":"2026-01-31T12:00:00Z"}', { id: 'e', input: 'i' }),
    })

/** Writes a request as it is told to, and waits for an answer. */
const raw = ({ tap }: World, path: string, header = '', body = ''): Promise<void> =>
  new Promise((done) => {
    const lines = [`POST ${path} HTTP/1.1`, 'host: x', `authorization: Bearer ${TOKEN}`, `x-rule: ${header}`]
    const socket = connect(Number(new URL(tap.url).port), '127.0.0.1')
    socket.once('data', () => (socket.destroy(), done()))
    socket.write(`${[...lines, `content-length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`)
  })

const MAPS = '/api/v1/namespaces/shop/configmaps'

const CARELESS: Readonly<Record<string, readonly [payload: string, Careless]>> = {
  'pastes it into a script': [
    'substitution',
    (value, { folder }) => execFileSync('/bin/sh', ['-c', `: ${value}`], { cwd: folder }),
  ],
  'renders it, and logs it': ['liquid', (value, _world, { log }) => log.info(String(rendered(value)))],
  'renders it into a span': [
    'liquid tag',
    (value, _world, { call }) => call({ name: 'x', attributes: { x: String(rendered(value)) } }, async () => {}),
  ],
  'names a span by it': ['option', (value, _world, { call }) => call({ name: value }, async () => {})],
  'puts it into a path': ['traversal', (value, world) => raw(world, `${MAPS}/${value}`)],
  'puts it into a header': ['header', (value, world) => raw(world, MAPS, value)],
  'reads it as YAML': ['yaml', (value, world) => raw(world, MAPS, '', JSON.stringify(parse(value)))],
}

const actionOf = (run: Careless, payload: string, world: World): Use<Action> =>
  defineAction({
    type: 'test:careless',
    summary: 'Does what no action may.',
    config: z.strictObject({}),
    changes: 'nothing',
    run: async (_, step) => (await run(payload, world, step), { summary: 'done' }),
  })({})

describe.each(Object.entries(CARELESS))('an action that %s', (_what, [name, run]) => {
  it('is found out', async () => {
    const world = await aWorld()
    const gateway = world.gateway([actionOf(run, PAYLOADS[name] ?? '', world)])
    await world.respond(gateway, {})
    await gateway.stop()
    await expect(expectNoCanary(world, spans.all(), new Set([MAPS.replace('shop', '{}')]))).rejects.toThrow()
  })
})

it('one that does nothing of that is not', async () => {
  const world = await aWorld()
  const gateway = world.gateway([actionOf((value, _world, { log }) => log.info(value), PAYLOADS.liquid ?? '', world)])
  await world.respond(gateway, { rule: PAYLOADS.header ?? '' })
  await gateway.stop()
  await expectNoCanary(world, spans.all(), new Set())
})
