/** `stopTimeout`: what runs when a stop is asked for may go on for so long, and no longer. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { alert } from '../kit.ts'
import { folder, start, yarak } from './_kit.ts'

const files = folder()
const within = { timeout: 15_000, interval: 20 }

/** Asked by a step, and silent until the test answers. */
const waiting: ServerResponse[] = []
const server = createServer((_request, response) => void waiting.push(response))
beforeEach(() => new Promise<void>((done) => server.listen(0, '127.0.0.1', done)))
afterEach(() => {
  waiting.splice(0)
  server.closeAllConnections()
  return new Promise((done) => server.close(done))
})

const config = (more: object): string => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const steps = [
    { action: 'http:request', id: 'ask', with: { method: 'GET', url, timeout: '1h' }, timeout: '1h' },
    { action: 'log', id: 'then', with: { message: 'seen' } },
  ]
  return files.write('yarak.yaml', {
    ...{ version: 1, mode: 'enforce', listen: '127.0.0.1:0', dataDir: files.at('data') },
    inputs: { file: { path: files.write('events.jsonl', [alert()]), from: 'beginning' } },
    rules: [{ rule: 'Ask', deadline: '2h', steps }],
    telemetry: { console: true },
    ...more,
  })
}

/** A run whose only chain waits for an answer, asked to stop. */
const stopped = async (more: object) => {
  const run = start(['run', '-c', config(more)])
  await expect.poll(() => waiting.length, within).toBe(1)
  run.interrupt()
  await expect.poll(() => run.said.err, within).toContain('"stopping"')
  const line = run.said.err.split('\n').find((text) => text.includes('"stopping"')) ?? ''
  return { ...run, deadline: (JSON.parse(line) as { deadline_ms: number }).deadline_ms }
}

describe('stopTimeout', () => {
  it('cuts short what takes longer', async () => {
    const { ended, deadline } = await stopped({ stopTimeout: '50ms' })
    expect(deadline).toBe(50)
    const { code, out } = await ended
    expect(code).toBe(0)
    expect(out).toMatch(/respond Ask · enforce +\S interrupted/)
  })

  it('is as long as it says: a chain that ends within it is whole', async () => {
    const { ended, deadline } = await stopped({ stopTimeout: '1h' })
    expect(deadline).toBe(3_600_000)
    for (const response of waiting) response.end('ok')
    const { code, out } = await ended
    expect(code).toBe(0)
    expect(out).toMatch(/respond Ask · enforce +✔ succeeded/)
    expect(out).toMatch(/action log · then +✔ succeeded/)
  })

  it('is 15 s where nothing is said', async () => {
    const { ended, deadline } = await stopped({})
    expect(deadline).toBe(15_000)
    for (const response of waiting) response.end('ok')
    expect((await ended).code).toBe(0)
  })

  it.each(['15', '-1s', 'soon'])('is a duration, which %j is not', async (stopTimeout) => {
    const { code, err } = await yarak(['check', config({ stopTimeout })])
    expect(code).toBe(1)
    expect(err).toContain('stopTimeout: must be a duration such as 500ms, 30s, 5m or 1h')
  })
})
