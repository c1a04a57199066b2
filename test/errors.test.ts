import { describe, expect, it } from 'vitest'
import { asYarakError, CODES, messageOf, reasonOf, YarakError } from '../src/errors.ts'

const looped = new Error('round')
looped.cause = new Error('and round', { cause: looped })

const refused = (address: string) =>
  Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: 'ECONNREFUSED' })

describe('an error', () => {
  it('may be tried again, for no particular reason, unless it says more', () => {
    const error = new YarakError('failed', 'no luck')
    expect(error).toMatchObject({ name: 'YarakError', message: 'no luck', permanent: false, reason: 'failed' })
    expect([error.retryAfter, error.failed, error.cause]).toEqual([undefined, undefined, undefined])
    expect(error).not.toHaveProperty('cause')
  })

  it('tells the engine what to do', () => {
    const failed = [{ index: 1, permanent: true, reason: '400' }]
    const options = { permanent: true, retryAfter: 7_000, failed, reason: 'mapping', cause: 'why' }
    expect(new YarakError('failed', 'm', options)).toMatchObject(options)
  })

  it.each([
    ['invalid', 400],
    ['unauthorized', 401],
    ['too_large', 413],
    ['overloaded', 503],
    ['closing', 503],
    ['timed_out', 504],
    ['refused', 403],
  ] as const)('%s answers with the status %i', (code, status) => {
    expect(new YarakError(code, 'm').status).toBe(status)
  })

  it.each(Object.entries(CODES))('%s has a status and a meaning', (_code, { status, about }) => {
    expect(status >= 400 && status < 600).toBe(true)
    expect(about).toMatch(/^[A-Z].*\.$/)
  })
})

describe('the message of anything thrown', () => {
  it.each([
    ['an error', new Error('bad'), 'bad'],
    ['an error without a message', new TypeError(), 'TypeError'],
    ['a text', 'bad', 'bad'],
    ['nothing', undefined, 'undefined'],
    ['an error of several lines', new Error('one\n  two\r\n\nthree'), 'one two three'],
    ['a cause', new Error('fetch failed', { cause: new Error('no route') }), 'fetch failed: no route'],
    ['causes of causes', new Error('a', { cause: new Error('b', { cause: 'c' }) }), 'a: b: c'],
    ['a cause that says no more', new Error('no route to host', { cause: new Error('no route') }), 'no route to host'],
    ['several errors with a message', new AggregateError([new Error('x')], 'all failed'), 'all failed'],
    [
      'several errors',
      new AggregateError([refused('::1:9'), refused('127.0.0.1:9'), refused('::1:9')]),
      'connect ECONNREFUSED ::1:9, connect ECONNREFUSED 127.0.0.1:9',
    ],
    ['no errors at all', new AggregateError([]), 'AggregateError'],
  ])('%s', (_what, error, message) => {
    expect(messageOf(error)).toBe(message)
  })

  it('ends, when an error is its own cause', () => {
    expect(messageOf(looped)).toMatch(/^round: and round/)
    const own = new AggregateError([])
    own.errors.push(own)
    expect(messageOf(own)).toBe('AggregateError')
  })
})

describe('the reason of anything thrown', () => {
  it.each([
    [new YarakError('refused', 'm', { reason: 'protected-namespace' }), 'protected-namespace'],
    [new YarakError('gone', 'm'), 'gone'],
    [refused('x'), 'econnrefused'],
    [Object.assign(new Error('m'), { code: 42 }), 'error'],
    [new Error('m'), 'error'],
    ['text', 'error'],
    [undefined, 'error'],
    [null, 'error'],
  ])('%s: %s', (error, reason) => {
    expect(reasonOf(error)).toBe(reason)
  })
})

describe('an error of another kind', () => {
  it('becomes one that may be tried again', () => {
    const cause = refused('x')
    const expected = { code: 'failed', reason: 'econnrefused', permanent: false, cause }
    expect(asYarakError(cause)).toMatchObject({ ...expected, message: 'connect ECONNREFUSED x' })
    expect(asYarakError(cause, 'unavailable')).toMatchObject({ ...expected, code: 'unavailable' })
  })

  it('stays as it is when it is ours', () => {
    const error = new YarakError('gone', 'm')
    expect(asYarakError(error, 'unavailable')).toBe(error)
  })
})
