/** The one client of a server, its TLS, and its package. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { connection, unlessAborted } from '../../outputs/_connection.ts'
import { optional } from '../../outputs/_package.ts'
import { tlsOptions, tlsSettings } from '../../outputs/_tls.ts'
import { YarakError, z } from '../../src/plugin.ts'

const NEVER = new AbortController().signal

const rigged = (meaning?: (error: unknown) => YarakError | undefined) => {
  const told: string[] = []
  const rig = {
    told,
    lose: () => {},
    opening: async (): Promise<void> => {},
    link: connection({
      name: 'Thing at thing:1',
      async open(lost) {
        told.push('open')
        rig.lose = lost
        await rig.opening()
        return { id: told.length }
      },
      close: async ({ id }: { id: number }) => void told.push(`close ${id}`),
      ...(meaning && { meaning }),
    }),
  }
  return rig
}

const fails = (error: Error) => () => Promise.reject(error)

describe('a connection', () => {
  it('opens once for those who want it at the same time', async () => {
    const { link, told } = rigged()
    expect(await Promise.all([1, 2, 3].map((n) => link.use(async ({ id }) => [n, id], NEVER)))).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ])
    expect(told).toEqual(['open'])
  })

  it('is opened again after it could not be opened', async () => {
    const rig = rigged()
    rig.opening = fails(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
    await expect(rig.link.use(async () => {}, NEVER)).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'econnrefused',
      message: 'Thing at thing:1: refused',
    })
    rig.opening = async () => {}
    await rig.link.use(async () => {}, NEVER)
    expect(rig.told).toEqual(['open', 'open'])
  })

  it('is opened again even when the server has refused to let us in', async () => {
    const rig = rigged()
    rig.opening = fails(new YarakError('failed', 'no'))
    await expect(rig.link.use(async () => {}, NEVER)).rejects.toMatchObject({ message: 'no' })
    rig.opening = async () => {}
    await expect(rig.link.use(async ({ id }) => id, NEVER)).resolves.toBe(2)
  })

  it('says what an error means, where that is known', async () => {
    const { link } = rigged(() => new YarakError('unavailable', 'wrong password', { reason: 'authentication' }))
    await expect(link.use(fails(new Error('E42')), NEVER)).rejects.toMatchObject({ reason: 'authentication' })
  })

  it('stays after a refusal, and ends after anything else', async () => {
    const { link, told } = rigged()
    await expect(link.use(fails(new YarakError('failed', 'refused')), NEVER)).rejects.toThrow('refused')
    expect(told).toEqual(['open'])
    await expect(link.use(fails(new Error('broken pipe')), NEVER)).rejects.toThrow('broken pipe')
    expect(told).toEqual(['open', 'close 1'])
  })

  it('that ended by itself is not closed over the one that came after it', async () => {
    const rig = rigged()
    await rig.link.use(async () => {}, NEVER)
    const first = rig.lose
    first()
    await rig.link.use(async () => {}, NEVER)
    first()
    await rig.link.use(async () => {}, NEVER)
    expect(rig.told.filter((one) => one === 'open')).toHaveLength(2)
  })

  it('can be closed unopened, and twice', async () => {
    const { link, told } = rigged()
    await link.close()
    await link.use(async () => {}, NEVER)
    await Promise.all([link.close(), link.close()])
    expect(told.filter((one) => one === 'open')).toHaveLength(1)
  })

  it('does not wait for ever for a server that does not take leave', async () => {
    const link = connection({ name: 'x', open: async () => ({}), close: () => new Promise(() => {}) })
    await link.use(async () => {}, NEVER)
    await link.close()
  })

  it('opens nothing once the signal has fired', async () => {
    const { link, told } = rigged()
    await expect(link.use(async () => {}, AbortSignal.abort())).rejects.toMatchObject({ code: 'interrupted' })
    expect(told).toEqual([])
  })

  it('lets go while it is still connecting, and does not begin the work when it is connected', async () => {
    const rig = rigged()
    const gate = Promise.withResolvers<void>()
    rig.opening = () => gate.promise
    const stop = new AbortController()
    let began = false
    const using = rig.link.use(async () => void (began = true), stop.signal)
    stop.abort()
    await expect(using).rejects.toMatchObject({ code: 'interrupted', message: 'Thing at thing:1: cut short' })
    gate.resolve()
    await rig.link.close()
    expect(began).toBe(false)
    await expect.poll(() => rig.told).toContain('close 1')
  })
})

describe('unlessAborted', () => {
  it('gives what the work gives, or fails with', async () => {
    expect(await unlessAborted(NEVER, 'x', async () => 7)).toBe(7)
    await expect(unlessAborted(NEVER, 'x', fails(new Error('own')))).rejects.toThrow('own')
  })
})

describe('an optional package', () => {
  it('is loaded, or named with the command that installs it', async () => {
    expect(await optional('pg', async () => 'loaded')).toBe('loaded')
    const name: string = 'no-such-package'
    const missing = optional(name, () => import(name) as Promise<unknown>)
    await expect(missing).rejects.toMatchObject({
      code: 'config',
      reason: 'missing_package',
      permanent: false,
      message: 'the package no-such-package is not installed: npm install no-such-package',
    })
  })

  it('that is broken tells its own error', async () => {
    await expect(optional('x', fails(new SyntaxError('bad token')))).rejects.toThrow('bad token')
  })
})

describe('tls', () => {
  const folder = mkdtempSync(join(tmpdir(), 'yarak-tls-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const file = (name: string) => {
    const path = join(folder, name)
    writeFileSync(path, `${name} in PEM`)
    return path
  }
  const settings = z.strictObject({ tls: tlsSettings() })

  it('is off when it is not set, and checks the server when it is', async () => {
    expect(settings.parse({})).toEqual({})
    expect(await tlsOptions(settings.parse({ tls: {} }).tls ?? expect.fail())).toEqual({ rejectUnauthorized: true })
  })

  it('reads the files', async () => {
    const tls = { caFile: file('ca'), certFile: file('cert'), keyFile: file('key'), verify: false }
    expect(await tlsOptions(tls)).toEqual({
      ca: 'ca in PEM',
      cert: 'cert in PEM',
      key: 'key in PEM',
      rejectUnauthorized: false,
    })
  })

  it('names a file that cannot be read', async () => {
    const reading = tlsOptions({ caFile: join(folder, 'none.pem'), verify: true })
    await expect(reading).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('none.pem') })
  })

  it('wants a certificate and its key together', () => {
    expect(settings.safeParse({ tls: { certFile: 'a' } }).error?.message).toContain('certFile and keyFile go together')
    expect(settings.safeParse({ tls: { ca: 'a' } }).success).toBe(false)
  })
})
