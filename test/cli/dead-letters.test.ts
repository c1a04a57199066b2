/** Where a command finds the gateway or its file. */
import { describe, expect, it } from 'vitest'
import { findPlace } from '../../src/cli/dead-letters.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import { letter } from '../journal/_kit.ts'
import { journalled } from './_gateway.ts'
import { closedPort, folder } from './_kit.ts'

const files = folder()
const { config, leave, run } = journalled(files)

const terminal: Terminal = {
  out: () => {},
  err: () => {},
  tty: false,
  colours: { out: false, err: false },
  env: {},
  signal: new AbortController().signal,
}
const TOKEN = 's3cret'
const clients = [{ name: 'ci', role: 'view', token: TOKEN }] as const

const placeOf = async (listen: string | readonly string[]) => {
  const { name, running } = await findPlace({ config: config({ admin: { listen, token: TOKEN } }) }, terminal)
  return { name, running }
}

describe('of the addresses in the configuration', () => {
  it('the first that answers is asked', async () => {
    const { url } = await run({ host: '127.0.0.1', port: 0 }, { clients })
    const { host } = new URL(url)
    expect(await placeOf([`127.0.0.1:${await closedPort()}`, `unix:${files.at('none')}`, host])).toEqual({
      name: url,
      running: true,
    })
  })

  it('before them the socket in the data folder', async () => {
    const { url } = await run()
    expect(await placeOf(`127.0.0.1:${await closedPort()}`)).toEqual({ name: url, running: true })
  })

  it('one that means all of the machine is reached over its loopback', async () => {
    const { url } = await run({ host: '0.0.0.0', port: 0 }, { clients })
    const { port } = new URL(url)
    expect(await placeOf(`0.0.0.0:${port}`)).toEqual({ name: `http://127.0.0.1:${port}`, running: true })
  })

  it('one that takes any free port cannot be known', async () => {
    await leave((journal) => journal.bury(letter()))
    expect(await placeOf('127.0.0.1:0')).toEqual({ name: files.at('data/journal.db'), running: false })
  })
})

describe('a place', () => {
  it('tells the same whether the gateway runs or not', async () => {
    const now = Date.now()
    const letters = [1, 2, 3].map((n) => letter({ at: now + n, message: `${n}` }))
    const ask = async () => {
      const place = await findPlace({ config: config() }, terminal)
      const first = await place.page({ limit: 2 })
      const { running, name: _name } = place
      return {
        running,
        answers: [
          first,
          await place.page({ after: first.next ?? 0, limit: 2 }),
          await place.show(2),
          (await place.stats()).deadLetters,
        ],
      }
    }
    await leave((journal) => letters.forEach((one) => journal.bury(one)))
    const atRest = await ask()
    await run()
    const atWork = await ask()
    expect([atRest.running, atWork.running]).toEqual([false, true])
    expect(atWork.answers).toEqual(atRest.answers)
    expect(atRest.answers).toMatchObject([
      { letters: [{ id: 1, length: 1 }, { id: 2 }], next: 2 },
      { letters: [{ id: 3 }] },
      { id: 2, body: '{' },
      3,
    ])
  })
})
