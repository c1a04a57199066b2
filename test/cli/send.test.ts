import { createServer } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { http } from '../../inputs/http.ts'
import { createGateway, type Notice } from '../../src/index.ts'
import { SILENT } from '../../src/options.ts'
import { listen } from '../../src/serve.ts'
import { alert, sink } from '../kit.ts'
import { closedPort, folder, launch, noneLeft, yarak } from './_kit.ts'

const files = folder()
noneLeft()

const left: (() => unknown)[] = []
afterEach(async () => {
  for (const close of left.splice(0)) await close()
})

/** A gateway that listens; what came is in `told`. */
const gateway = async (settings: Parameters<typeof http>[0] = {}): Promise<{ url: string; told: Notice[] }> => {
  const { told, use } = sink()
  const made = createGateway({ inputs: [http(settings)], outputs: [use] })
  const listeners = listen(made, [{ host: '127.0.0.1', port: 0 }], SILENT)
  left.push(
    () => listeners.close(0),
    () => made.stop(),
  )
  return { url: `${await listeners.ready[0]}/`, told }
}

/** A server that is no gateway. */
const answering = async (status: number, body: string): Promise<string> => {
  const server = createServer((_request, response) => void response.writeHead(status).end(body))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  left.push(() => new Promise<void>((done) => server.close(() => done())))
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/`
}

const ACCEPTED = /^accepted [0-9a-f]{8}-[0-9a-f-]{27}\n$/

describe('send', () => {
  it('posts a sample that a demo rule answers, and tells its id', async () => {
    const { url, told } = await gateway()
    const { code, out, err } = await yarak(['send', '--url', url])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(ACCEPTED)
    await expect.poll(() => told).toHaveLength(1)
    expect(told[0]?.event).toMatchObject({ rule: 'Terminal shell in container', priority: 'Notice', source: 'syscall' })
    expect(out).toBe(`accepted ${told[0]?.event.id}\n`)
  })

  it('posts a file, also one object over many lines', async () => {
    const { url, told } = await gateway()
    const file = files.write('alert.json', JSON.stringify(alert({ rule: 'From a file' }), null, 2))
    expect((await yarak(['send', file, '--url', url])).out).toMatch(ACCEPTED)
    await expect.poll(() => told.map(({ event }) => event.rule)).toEqual(['From a file'])
  })

  it.each([
    ['one alert a line', (alerts: unknown[]) => alerts.map((one) => JSON.stringify(one)).join('\n')],
    ['an array', (alerts: unknown[]) => JSON.stringify(alerts)],
  ])('posts %s as a batch', async (_what, textOf) => {
    const { url, told } = await gateway()
    const file = files.write('batch', textOf([alert({ rule: 'a' }), alert({ rule: 'b' })]))
    expect(await yarak(['send', file, '--url', url])).toEqual({ code: 0, out: 'accepted 2 events\n', err: '' })
    await expect.poll(() => told.map(({ event }) => event.rule).sort()).toEqual(['a', 'b'])
  })

  it('says which of a batch were refused, and exits with 1', async () => {
    const { url } = await gateway()
    const some = files.write('some.jsonl', [alert(), { rule: 'no priority' }])
    const { code, out, err } = await yarak(['send', some, '--url', url])
    expect({ code, out }).toEqual({ code: 1, out: 'accepted 1 event\n' })
    expect(err).toMatch(/^yarak: event 2 was refused: .*priority.*\n$/)
    const none = files.write('none.jsonl', [{ rule: 1 }, { rule: 2 }])
    const all = await yarak(['send', none, '--url', url])
    expect(all).toMatchObject({ code: 1, out: '' })
    expect(all.err.match(/was refused/g)).toHaveLength(2)
  })

  it('reads standard input', async () => {
    const { url, told } = await gateway()
    const input = JSON.stringify(alert({ rule: 'From a pipe' }))
    expect(await launch(['send', '-', '--url', url], { input }).ended).toMatchObject({
      code: 0,
      out: expect.stringMatching(ACCEPTED) as string,
    })
    await expect.poll(() => told.map(({ event }) => event.rule)).toEqual(['From a pipe'])
  })

  it('shows a token, given by --token or YARAK_TOKEN', async () => {
    const { url } = await gateway({ token: 's3cret-s3cret' })
    const send = ['send', '--url', url]
    expect((await yarak([...send, '--token', 's3cret-s3cret'])).out).toMatch(ACCEPTED)
    expect((await yarak(send, { env: { YARAK_TOKEN: 's3cret-s3cret' } })).out).toMatch(ACCEPTED)
    for (const ran of [
      await yarak(send),
      await yarak([...send, '--token', 'wrong'], { env: { YARAK_TOKEN: 's3cret-s3cret' } }),
    ]) {
      expect(ran).toEqual({
        code: 1,
        out: '',
        err: 'yarak: the gateway answered 401: the sender did not prove who it is (give --token, or set YARAK_TOKEN)\n',
      })
    }
  })
})

describe('send says in one line', () => {
  it('that nobody answers', async () => {
    const url = `http://127.0.0.1:${await closedPort()}/`
    const { code, out, err } = await yarak(['send', '--url', url])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toBe(
      `yarak: nothing answers at ${url}: connect ECONNREFUSED ${new URL(url).host}; is the gateway running there?\n`,
    )
  })

  it.each([
    ['an alert that is none', '{"rule": 5}', /^yarak: the gateway answered 400: .*rule/],
    ['text', '08:00:00.123456000: Notice A shell was spawned', /^yarak: the gateway answered 400: .*json_output: true/],
    ['nothing', '', /^yarak: the gateway answered 400: /],
  ])('why %s is refused', async (_what, text, message) => {
    const { url } = await gateway()
    const { code, err } = await yarak(['send', files.write('x.json', text), '--url', url])
    expect(code).toBe(1)
    expect(err).toMatch(message)
    expect(err.match(/\n/g)).toHaveLength(1)
  })

  it('that the path is another one', async () => {
    const { url } = await gateway({ path: '/falco' })
    expect((await yarak(['send', '--url', url])).err).toBe(
      'yarak: the gateway answered 404: nothing is served at / (--url must have the path of the http input)\n',
    )
    expect((await yarak(['send', '--url', `${url}falco`])).code).toBe(0)
  })

  it.each([
    [502, '<html>\u001b[31mBad\nGateway', 'yarak: the gateway answered 502: <html> [31mBad Gateway\n'],
    [200, '', 'yarak: the gateway answered 200: not as a gateway does\n'],
    [200, 'null', 'yarak: the gateway answered 200: null\n'],
  ])('what another server answers: %i %j', async (status, body, err) => {
    expect(await yarak(['send', '--url', await answering(status, body)])).toEqual({ code: 1, out: '', err })
  })

  it('that there is no such file, and what an address is', async () => {
    expect((await yarak(['send', files.at('no.json')])).err).toBe(
      `yarak: cannot read ${files.at('no.json')}: there is no such file\n`,
    )
    for (const url of ['127.0.0.1:2801', 'ftp://x/', 'http://']) {
      const { code, err } = await yarak(['send', '--url', url])
      expect({ code, err }).toEqual({
        code: 1,
        err: `yarak: --url ${url}: must be an address such as http://127.0.0.1:2801/\n`,
      })
    }
  })
})
