import { createServer } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import type { Journal } from '../../src/journal/index.ts'
import { alert, sink } from '../kit.ts'
import { letter } from '../journal/_kit.ts'
import { journalled } from './_gateway.ts'
import { closedPort, folder, launch, noneLeft, yarak } from './_kit.ts'

const files = folder()
noneLeft()
const { config, leave, run } = journalled(files)

const three = (journal: Journal): void => {
  journal.bury(
    letter({
      body: '{"rule":',
      message: 'not JSON: the body ends too early',
      position: 'falco/3/1042',
    }),
  )
  journal.bury(
    letter({
      kind: 'notice',
      from: 'slack',
      reason: 'http-404',
      message: 'the webhook answered 404',
      attempts: 3,
    }),
  )
  journal.bury(letter({ kind: 'notice', from: 'loki', reason: 'http-500' }))
}
const left = async (journal: Journal): Promise<number[]> => (await journal.letters()).map(({ id }) => id)

/** The configuration of a gateway that does not run, which left three dead letters. */
const atRest = async (): Promise<string> => {
  await leave(three)
  return config()
}

/** One that runs. */
const atWork = async (more: Parameters<typeof run>[1] = {}, at?: Parameters<typeof run>[0]) => {
  const running = await run(at, more)
  three(running.journal)
  return { ...running, file: config() }
}

const TOKEN = 's3cret-s3cret'
const TCP = [{ clients: [{ name: 'ci', role: 'operate', token: TOKEN }] }, { host: '127.0.0.1', port: 0 }] as const

describe.each([
  ['a running gateway', async () => (await atWork()).file],
  ['the file of one that has ended', atRest],
])('of %s', (_what, made) => {
  it('ls lists, and chooses', async () => {
    const file = await made()
    const { code, out, err } = await yarak(['dlq', 'ls', '--config', file])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const [head, ...rows] = out.trimEnd().split('\n')
    expect(head).toMatch(/^ID +WHEN +KIND +FROM +REASON +MESSAGE$/)
    expect(rows[0]).toMatch(
      /^1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +event +http +invalid +not JSON: the body ends too early$/,
    )
    expect(rows).toHaveLength(3)
    const ids = async (...more: string[]): Promise<unknown> => {
      const ran = await yarak(['dlq', 'ls', '--config', file, '--json', ...more])
      return (JSON.parse(ran.out) as { id: number }[]).map(({ id }) => id)
    }
    expect(await ids('--kind', 'notice')).toEqual([2, 3])
    expect(await ids('--from', 'slack', '--reason', 'http-404')).toEqual([2])
    expect(await ids('--limit', '1')).toEqual([1])
    expect(await ids('--reason', 'none')).toEqual([])
    expect((await yarak(['dlq', 'ls', '--config', file, '--reason', 'none'])).out).toBe('no dead letters\n')
  })

  it('show shows one, with its body', async () => {
    const file = await made()
    const { code, out } = await yarak(['dlq', 'show', '1', '--config', file])
    expect(code).toBe(0)
    expect(out).toMatch(/^position +falco\/3\/1042$/m)
    expect(out).toMatch(/^body +8 B\n\n\{"rule":\n$/m)
    expect((await yarak(['dlq', 'show', '2', '--config', file])).out).toMatch(/^attempts +3$/m)
    const json = await yarak(['dlq', 'show', '1', '--config', file, '--json'])
    expect(JSON.parse(json.out)).toMatchObject({ id: 1, body: '{"rule":', position: 'falco/3/1042' })
    expect(await yarak(['dlq', 'show', '9', '--config', file])).toEqual({
      code: 1,
      out: '',
      err: 'yarak: there is no dead letter 9\n',
    })
  })

  it('rm removes those named, or those chosen', async () => {
    const file = await made()
    const ids = async (): Promise<number[]> =>
      (JSON.parse((await yarak(['dlq', 'ls', '--config', file, '--json'])).out) as { id: number }[]).map(({ id }) => id)
    expect(await yarak(['dlq', 'rm', '2', '--config', file])).toEqual({
      code: 0,
      out: 'removed 1 dead letter\n',
      err: '',
    })
    expect(await ids()).toEqual([1, 3])
    expect(await yarak(['dlq', 'rm', '2', '3', '--config', file])).toEqual({
      code: 1,
      out: 'removed 1 dead letter\n',
      err: 'yarak: 2: there is no dead letter 2\n',
    })
    expect((await yarak(['dlq', 'rm', '--kind', 'notice', '--config', file])).out).toBe('removed 0 dead letters\n')
    const all = await yarak(['dlq', 'rm', '--all', '--config', file, '--json'])
    expect(JSON.parse(all.out)).toEqual([{ id: 1, outcome: 'removed' }])
    expect(await ids()).toEqual([])
  })

  it('shows what strangers wrote as text, never as commands to the terminal', async () => {
    const bad = 'x\u001b[2J\u009b1mred\u202e\r\nnew'
    let file = ''
    const fill = (journal: Journal): void => journal.bury(letter({ message: bad, body: bad, from: bad, reason: bad }))
    if (made === atRest) {
      await leave(fill)
      file = config()
    } else {
      const running = await atWork()
      fill(running.journal)
      file = running.file
    }
    const id = made === atRest ? '1' : '4'
    for (const args of [['ls'], ['ls', '--json'], ['show', id], ['show', id, '--json']]) {
      const { code, out } = await yarak(['dlq', ...args, '--config', file])
      expect(code).toBe(0)
      expect(out).toContain('red')
      expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
      if (args.includes('--json')) expect(JSON.stringify(JSON.parse(out))).toContain(JSON.stringify(bad).slice(1, -1))
    }
  })
})

describe('replay', () => {
  it('hands the text of an event to the running gateway, and removes it', async () => {
    const { told, use } = sink()
    const { journal, file } = await atWork({ options: { outputs: [use] } })
    journal.bury(letter({ body: JSON.stringify(alert({ rule: 'Again' })) }))
    expect(await yarak(['dlq', 'replay', '4', '--config', file])).toEqual({
      code: 0,
      out: '4 accepted\nreplayed 1 dead letter\n',
      err: '',
    })
    await expect.poll(() => told.map(({ event }) => event.rule)).toEqual(['Again'])
    expect(await left(journal)).toEqual([1, 2, 3])
  })

  it('keeps what cannot be tried, says why, and goes on', async () => {
    const { journal, file } = await atWork()
    journal.bury(letter({ body: JSON.stringify(alert()) }))
    const { code, out, err } = await yarak(['dlq', 'replay', '--all', '--config', file])
    expect([code, out]).toEqual([1, '4 accepted\nreplayed 1 dead letter\n'])
    expect(err).toMatch(
      /^yarak: 1: .*JSON.*\nyarak: 2: no output slack is configured\nyarak: 3: no output loki is configured\n$/,
    )
    expect((await left(journal)).slice(0, 3)).toEqual([1, 2, 3])
    const json = await yarak(['dlq', 'replay', '--from', 'slack', '--config', file, '--json'])
    expect(JSON.parse(json.out)).toEqual([{ id: 2, error: 'no output slack is configured' }])
  })

  it('needs a running gateway', async () => {
    expect(await yarak(['dlq', 'replay', '1', '--config', await atRest()])).toEqual({
      code: 1,
      out: 'replayed 0 dead letters\n',
      err: 'yarak: 1: the gateway does not run: start it, since it is the gateway that tries again\n',
    })
  })
})

describe('the place', () => {
  it('is a unix socket that the configuration names', async () => {
    const path = files.at('socket')
    const { journal } = await run({ path })
    three(journal)
    const { out } = await yarak(['dlq', 'rm', '--all', '--config', config({ admin: { listen: `unix:${path}` } })])
    expect(out).toBe('removed 3 dead letters\n')
    expect(await left(journal)).toEqual([])
  })

  it('is what --url or --socket names, and nothing else', async () => {
    const { url } = await atWork()
    expect((await yarak(['dlq', 'ls', '--url', url])).out).toContain('slack')
    expect((await yarak(['dlq', 'ls', '--socket', url.slice(5)])).out).toContain('slack')
    const none = `http://127.0.0.1:${await closedPort()}`
    const { code, err } = await yarak(['dlq', 'ls', '--url', none])
    expect([code, err]).toEqual([1, expect.stringMatching(/^yarak: no gateway answers at http:.*ECONNREFUSED.*\n$/)])
    expect((await yarak(['dlq', 'ls', '--url', 'gateway:2801'])).err).toMatch(/must be an address such as http:/)
    expect((await yarak(['dlq', 'ls', '--socket', files.at('none')])).err).toMatch(
      /no gateway answers at unix:.*ENOENT/,
    )
  })

  it('is asked with a token: given, or of the environment, or of the configuration', async () => {
    const { url } = await atWork(...TCP)
    const ls = ['dlq', 'ls', '--url', url]
    expect((await yarak([...ls, '--token', TOKEN])).code).toBe(0)
    expect((await yarak(ls, { env: { YARAK_ADMIN_TOKEN: TOKEN } })).code).toBe(0)
    const hint = ' (give --token, set YARAK_ADMIN_TOKEN, or give --cert and --key)\n'
    expect((await yarak(ls)).err).toBe(`yarak: the bearer token is missing${hint}`)
    const wrong = config({ admin: { listen: new URL(url).host, token: 'other' } })
    expect((await yarak(['dlq', 'ls', '--config', wrong])).err).toBe(`yarak: the bearer token is wrong${hint}`)
    const known = config({ admin: { listen: new URL(url).host, token: TOKEN } })
    expect((await yarak(['dlq', 'ls', '--config', known])).code).toBe(0)
  })

  it('is the file when somebody else listens there', async () => {
    const server = createServer((_request, response) => void response.writeHead(404).end('<h1>other</h1>'))
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    closing.push(() => new Promise<void>((done) => server.close(() => done())))
    await leave(three)
    const { port } = server.address() as { port: number }
    const file = config({ admin: { listen: `127.0.0.1:${port}`, token: TOKEN } })
    expect((await yarak(['dlq', 'ls', '--config', file])).out).toContain('slack')
  })

  it('that does not exist is told', async () => {
    const file = config()
    for (const args of [['ls'], ['show', '1'], ['rm', '--all']]) {
      expect(await yarak(['dlq', ...args, '--config', file])).toEqual({
        code: 1,
        out: '',
        err: `yarak: there is no journal at ${files.at('data/journal.db')}: no gateway with this configuration has run here\n`,
      })
    }
  })

  it('can be read, but not changed, while a gateway works on it that does not answer', async () => {
    const { journal } = await run({ path: files.at('other.sock') })
    three(journal)
    await journal.flush()
    const file = config()
    expect((await yarak(['dlq', 'ls', '--config', file])).out).toContain('slack')
    const { code, err } = await yarak(['dlq', 'rm', '1', '--config', file])
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(new RegExp(`^yarak: 1: the process ${process.pid} uses this data`)),
    ])
    expect(await left(journal)).toEqual([1, 2, 3])
  })

  const closing: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })
})

describe('wrong usage', () => {
  it.each([
    [['rm'], /say which: ids, or else --kind, --from, --reason, or --all/],
    [['replay', '1', '--all'], /say which: ids, or else/],
    [['rm', 'x'], /value 'x' is invalid.*whole number/],
    [['show', '0'], /value '0' is invalid/],
    [['show'], /missing required argument 'id'/],
    [['ls', '--kind', 'x'], /Allowed choices are event, notice/],
    [['ls', '--limit', '-1'], /argument '-1' is invalid/],
    [['list'], /unknown command 'list'/],
  ])('%j exits with 2', async (args, message) => {
    const { code, out, err } = await yarak(['dlq', ...args])
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(message)
  })
})

describe('on a terminal', () => {
  it('has colours, and cuts a long message', async () => {
    await leave((journal) => journal.bury(letter({ message: 'x'.repeat(500) })))
    const file = config()
    const { out } = await yarak(['dlq', 'ls', '--config', file], { colours: true })
    expect(out).toContain('\u001b[')
    expect(out).toContain(`${'x'.repeat(79)}…`)
    expect((await yarak(['dlq', 'ls', '--config', file])).out).not.toContain('\u001b[')
  })
})

it('shows how by example', async () => {
  for (const command of [['dlq'], ['dlq', 'ls'], ['dlq', 'show'], ['dlq', 'replay'], ['dlq', 'rm']]) {
    const { code, out } = await yarak([...command, '--help'])
    expect([code, out]).toEqual([0, expect.stringContaining(`Usage: ${['yarak', ...command].join(' ')}`)])
    const examples = [...out.matchAll(/^ {2}yarak (.+)$/gm)]
    expect(examples.length).toBeGreaterThan(command.length === 1 ? -1 : 1)
    for (const [, args = ''] of examples) expect((await yarak([...args.split(' '), '--help'])).code).toBe(0)
  }
})

it('prints nothing but its answer, as a process', async () => {
  const file = await atRest()
  const { code, out, err } = await launch(['dlq', 'ls', '--config', file, '--json']).ended
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(JSON.parse(out)).toHaveLength(3)
})
