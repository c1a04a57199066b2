import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { closedPort, folder, launch, noneLeft, yarak } from './_kit.ts'

const files = folder()
noneLeft()

const EXAMPLE = 'test/fixtures/falcosidekick/config.yaml'
const HOOK = 'https://hooks.example.com/0123456789'

/** A server that keeps what it is posted. */
const sinkServer = async () => {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      bodies.push(body)
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { bodies, url: `http://127.0.0.1:${port}`, close: () => void server.close() }
}

describe('import falcosidekick', () => {
  it('prints a file of ours, under what differs', async () => {
    const file = files.write(
      'config.yaml',
      `slack: { webhookurl: '${HOOK}', minimumpriority: info }\naws: { region: eu }\n`,
    )
    const { code, out, err } = await yarak(['import', 'falcosidekick', file])
    expect(code).toBe(0)
    expect(out.split('\n').slice(0, 3)).toEqual([
      `# translated from Falcosidekick's ${file}`,
      expect.stringMatching(/^# warning: .*:1:79: slack\.minimumpriority: info is no priority/),
      expect.stringMatching(/^# warning: .*:2:16: aws\.region: does nothing, as in Falcosidekick/),
    ])
    expect(parse(out)).toMatchObject({ version: 1, outputs: { slack: { webhookUrl: HOOK } } })
    expect(err).toContain('1 secret of')
    expect(err).toContain('2 warnings')
  })

  it('takes the variables with --env, and then prints references to them', async () => {
    const env = { SLACK_WEBHOOKURL: HOOK, LOKI_HOSTPORT: 'http://l', OTLP_TRACES_ENDPOINT: 'http://o' }
    expect((await yarak(['import', 'falcosidekick', files.write('empty.yaml', '')], { env })).out).not.toContain(
      'slack',
    )
    const { out, err } = await yarak(['import', 'falcosidekick', '--env'], { env })
    expect(out).toContain('webhookUrl: ${env:SLACK_WEBHOOKURL}')
    expect(out + err).not.toContain(HOOK)
  })

  it('doubles what would be a reference', async () => {
    const file = files.write('config.yaml', 'customfields: { a: "${env:HOME}" }\n')
    expect((await yarak(['import', 'falcosidekick', file])).out).toContain('a: $${env:HOME}')
  })

  it('says what it cannot do', async () => {
    expect(await yarak(['import', 'falcosidekick'])).toMatchObject({ code: 2, out: '' })
    expect(await yarak(['import', 'falcosidekick', files.at('none.yaml')])).toMatchObject({ code: 1, out: '' })
    const file = files.write('stan.yaml', 'stan: { hostport: nats://s, clusterid: c, clientid: i }\n')
    const { code, out } = await yarak(['import', 'falcosidekick', file])
    expect({ code, out }).toMatchObject({ code: 1, out: expect.stringContaining('# error: ') as string })
  })

  it('gives a file that check takes, also from standard input, for every key there is', async () => {
    const { out } = await yarak(['import', 'falcosidekick', EXAMPLE])
    const checked = launch(['check', '-'], { input: out })
    expect(await checked.ended).toMatchObject({ code: 0, out: 'ok: 1 input, 0 rules, 69 outputs\n', err: '' })
  })
})

describe('check and run --falcosidekick', () => {
  it('checks the file, or the environment alone', async () => {
    const file = files.write('config.yaml', `slack: { webhookurl: '${HOOK}' }\n`)
    expect(await yarak(['check', '--falcosidekick', file])).toMatchObject({
      code: 0,
      out: 'ok: 1 input, 0 rules, 1 output\n',
    })
    const env = { SLACK_WEBHOOKURL: 'nowhere' }
    const { code, err } = await yarak(['check', '--falcosidekick'], { env })
    expect(code).toBe(1)
    expect(err).toContain('environment: error: env SLACK_WEBHOOKURL: outputs.slack.webhookUrl: must be an http')
  })

  it('goes without a configuration of ours', async () => {
    const { code, err } = await yarak(['check', '--falcosidekick', '--config', 'x.yaml'])
    expect({ code, err }).toEqual({
      code: 2,
      err: 'yarak: --falcosidekick goes without --config, --file and --rules\n',
    })
  })

  it('stands in for Falcosidekick: its routes, its additions, its payload', async () => {
    const sink = await sinkServer()
    const file = files.write(
      'config.yaml',
      `listenaddress: 127.0.0.1\nlistenport: ${await closedPort()}\ncustomfields: { Env: prod }\ncustomtags: [added]\n` +
        `webhook: { address: '${sink.url}/hook' }\n`,
    )
    const running = launch(['run', '--falcosidekick', file], { cwd: dirname(file) })
    const address = await running.address()
    const event = {
      output: 'o',
      priority: 'Warning',
      rule: 'r',
      time: '2026-01-31T12:00:00.123456789Z',
      source: 'syscall',
      tags: ['z'],
      output_fields: { a: 1 },
    }
    for (const path of ['/', '/any/path']) {
      const answer = await fetch(address + path, { method: 'POST', body: JSON.stringify(event) })
      expect(answer.status).toBe(200)
    }
    expect((await fetch(`${address}/ping`)).status).toBe(200)
    expect((await fetch(`${address}/healthz`)).status).toBe(200)
    await expect.poll(() => sink.bodies.length, { timeout: 10_000 }).toBe(2)
    const { uuid, ...told } = JSON.parse(sink.bodies[0] ?? '') as Record<string, unknown>
    expect(uuid).toMatch(/^[\da-f-]{36}$/)
    expect(told).toEqual({ ...event, tags: ['added', 'z'], output_fields: { a: 1, Env: 'prod' } })
    running.child.kill('SIGTERM')
    expect((await running.ended).code).toBe(0)
    sink.close()
  })
})
