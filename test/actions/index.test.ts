import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { actions } from '../../src/actions/index.ts'
import type { Action } from '../../src/plugin.ts'

/** What runs in a container or on a node has no dry run: in observe mode it is only shown. */
const ONLY_DONE: ReadonlySet<string> = new Set([
  'kubernetes:checkpoint',
  'kubernetes:download',
  'kubernetes:exec',
  'kubernetes:script',
])

const all: readonly (Action & ((config: never, label?: string) => { id: string }))[] = actions

describe.each(all.map((action) => [action.type, action] as const))('%s', (type, action) => {
  it('is in the file that its type names', () => {
    const files = [...new Set([type.replace(':', '/'), type.replaceAll(':', '-')])]
    const isThere = (file: string) => existsSync(new URL(`../../src/actions/${file}.ts`, import.meta.url))
    expect(files.filter(isThere)).toHaveLength(1)
  })

  it('has a summary of one sentence and a description of every setting', () => {
    expect(action.summary).toMatch(/^[A-Z].*\.$/)
    const { properties = {} } = z.toJSONSchema(action.config, { io: 'input' }) as { properties?: object }
    for (const [name, one] of Object.entries(properties)) expect(one, name).toHaveProperty('description')
  })

  it('takes its example, and no unknown setting', () => {
    expect(action(action.example as never, 'mine').id).toBe(`${type}/mine`)
    const odd = { ...(action.example as object), nonsense: 1 }
    expect(() => action(odd as never)).toThrow('nonsense is not a known setting')
  })

  it('says what it changes, and in Kubernetes has a target, and a dry run of its changes', () => {
    expect(['nothing', 'reversible', 'destructive', undefined]).toContain(
      typeof action.changes === 'function' ? undefined : action.changes,
    )
    if (!type.startsWith('kubernetes:')) return
    expect(typeof action.target).toBe('function')
    expect(action.dryRun ?? false).toBe(action.changes !== 'nothing' && !ONLY_DONE.has(type))
  })
})

describe('the list of actions', () => {
  it('has each type once, in order', () => {
    const types = all.map(({ type }) => type)
    expect(types).toEqual([...new Set(types)].sort())
  })

  it('loads no vendor package', async () => {
    const script = `
      import { registerHooks } from 'node:module'
      const seen = []
      registerHooks({ resolve(name, context, next) { seen.push(name); return next(name, context) } })
      await import(${JSON.stringify(new URL('../../src/actions/index.ts', import.meta.url).href)})
      console.log(seen.filter((name) => name.includes('client-node')).length)`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
    expect(stdout.trim()).toBe('0')
  })
})
