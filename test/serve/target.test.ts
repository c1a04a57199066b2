import fc from 'fast-check'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { anyOf, readTarget, routed } from '../../src/serve/target.ts'

describe('the target of a request', () => {
  it.each([
    ['/', '/', '/'],
    ['/in/token-1.x', '/in/token-1.x', '/in/token-1.x'],
    ['/in?x=/../y#z', '/in?x=/../y', '/in'],
    ['/a/../admin', '/admin', '/admin'],
    ['/a/%2e%2E/admin', '/admin', '/admin'],
    ['/./a/./b/..', '/a/', '/a/'],
    ['/../../etc/passwd', '/etc/passwd', '/etc/passwd'],
    ['/%61dmin', '/%61dmin', '/admin'],
    ['/%61dmin/%ff', '/%61dmin/%ff', '/admin/%ff'],
    ['/a%2Fb', '/a%2Fb', '/a%2Fb'],
    ['/a%252Fb', '/a%252Fb', '/a%252Fb'],
    ['//admin', '//admin', '//admin'],
    ['/.well-known/x', '/.well-known/x', '/.well-known/x'],
    ['http://yarak:2801/a/../in?x=1', '/in?x=1', '/in'],
    ['HTTPS://user@other/in', '/in', '/in'],
    ['http://yarak', '/', '/'],
  ])('%s', (given, url, path) => {
    expect(readTarget(given)).toEqual({ url, path })
  })

  it.each(['', '*', 'in', 'other:443', '/a\\..\\b', 'ftp://x/', 'http://', 'http://[::1', 'file:///etc/passwd'])(
    'that is none: %j',
    (given) => {
      expect(readTarget(given)).toBeUndefined()
    },
  )

  const part = fc.oneof(
    fc.constantFrom(
      '.',
      '..',
      '%2e',
      '%2E%2e',
      'admin',
      '%61dmin',
      'a b',
      '%',
      '%zz',
      '%ff',
      '%2f',
      '%25',
      '',
      'ü',
      ';',
      ':',
    ),
    fc.string({ maxLength: 4 }),
  )
  const target = fc.array(part, { maxLength: 6 }).map((parts) => `/${parts.join('/')}`)

  it('is read once for all: the path is the one that Hono routes, and reading it again changes nothing', async () => {
    const app = new Hono().all('*', (c) => c.text(c.req.path))
    await fc.assert(
      fc.asyncProperty(target, async (given) => {
        const read = readTarget(given)
        if (!read) return
        expect(readTarget(read.url)).toEqual(read)
        expect(await (await app.request(`http://x${read.url}`)).text()).toBe(read.path)
        expect(read.url).toMatch(/^\//)
        expect(read.path.split('/')).not.toContain('..')
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a list of paths', () => {
  it.each([
    ['/', ['/'], ['/x', '//']],
    ['/healthz', ['/healthz'], ['/healthz/', '/healthzz', '/']],
    ['/admin/*', ['/admin', '/admin/', '/admin/dlq/1'], ['/administrator', '/x/admin']],
    ['/*', ['/', '/x', '/x/y'], []],
  ])('%s', (path, inside, outside) => {
    const test = anyOf([path])
    expect(inside.filter(test)).toEqual(inside)
    expect(outside.filter(test)).toEqual([])
  })

  it('that is empty holds none', () => {
    expect(anyOf([])('/')).toBe(false)
  })
})

describe('the routes of apps', () => {
  it('are found with their parameters, and without the middleware for any path', () => {
    const admin = new Hono().use('*', (_c, next) => next()).get('/dlq/:id', (c) => c.text('x'))
    const test = routed([new Hono().get('/healthz', (c) => c.text('ok')), new Hono().route('/admin', admin)])
    expect(['/healthz', '/admin', '/admin/dlq/7', '/admin/none'].map(test)).toEqual([true, true, true, true])
    expect(['/', '/in', '/healthz/x', '/administrator'].map(test)).toEqual([false, false, false, false])
    const any = new Hono().use((_c, next) => next())
    expect(routed([any])('/x')).toBe(false)
  })
})
