/** What is logged has the same message each time, and what differs in fields: a log store groups lines by their message. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')

const files = ['src', 'inputs', 'outputs'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
)

/** `what` is one of three words. */
const CLOSED = /^`\$\{what\} /

/** Messages that are put together when they are logged. */
const composed = (source: string): string[] =>
  [...source.matchAll(/\blog\??\.(?:debug|info|warn|error)\(\s*(`[^`]*\$\{[^`]*`|[^,()]* \+ )/g)]
    .map(([, message = '']) => message)
    .filter((message) => !CLOSED.test(message))

describe('the message of a line of the log', () => {
  it('is the same each time, in every file', () => {
    expect(files.length).toBeGreaterThan(200)
    expect(
      files.flatMap((file) => composed(readFileSync(join(root, file), 'utf8')).map((found) => `${file} ${found}`)),
    ).toEqual([])
  })

  it('is found where it is not', () => {
    expect(composed('log.warn(`cannot read ${path}`, { path })')).toEqual(['`cannot read ${path}`'])
    expect(composed("io.log.error(\n  'cannot read ' + path)")).toHaveLength(1)
    expect(composed("log.warn('cannot read', { path: `${a}/b` })")).toEqual([])
  })
})
