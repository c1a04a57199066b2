import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'undici'
import { describe, expect, it } from 'vitest'
import { watchedFiles } from '../../src/config/index.ts'
import { systemFiles } from '../../src/config/files.ts'
import { alert } from '../kit.ts'
import { folder, launch, noneLeft } from './_kit.ts'

const files = folder()
noneLeft()

const within = { timeout: 15_000, interval: 50 }

const config = (rules: readonly string[] = ['rules.yaml'], more: object = {}) => ({
  version: 1,
  listen: '127.0.0.1:0',
  dataDir: files.at('data'),
  inputs: { http: {} },
  rules,
  ...more,
})

const rule = (message: string, more: object = {}) => ({
  rule: 'Note',
  join: '0s',
  steps: [{ action: 'log', with: { message } }],
  ...more,
})

const running = async (path: string) => {
  const gateway = launch(['run', '--config', path])
  const url = await gateway.address()
  const logged = (message: string): Record<string, unknown>[] =>
    gateway.said.err
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => String(line['message']).startsWith(message))
  return {
    ...gateway,
    logged,
    reloads: () => logged('the configuration was reloaded'),
    hangUp: () => void gateway.child.kill('SIGHUP'),
    post: () => request(url, { method: 'POST', body: JSON.stringify(alert()) }).then(({ body }) => body.dump()),
    metrics: async () => (await request(`${url}/metrics`)).body.text(),
    ready: async () => (await request(`${url}/readyz`)).body.text(),
    async stop() {
      gateway.child.kill('SIGTERM')
      return gateway.ended
    },
  }
}

describe('yarak run, when a file of its configuration changes', () => {
  it('answers by the new rules, says what changed, and keeps what it has', async () => {
    const path = files.write('yarak.yaml', config())
    files.write('rules.yaml', JSON.stringify([rule('old')]))
    const gateway = await running(path)
    await gateway.post()
    await expect.poll(() => gateway.logged('old').length, within).toBe(1)
    files.write('rules.yaml', JSON.stringify([rule('new'), rule('more', { rule: 'Another' })]))
    await expect
      .poll(gateway.reloads, within)
      .toMatchObject([{ changes: ['rule Note changed', 'rule Another added'], generation: 2 }])
    await gateway.post()
    await expect.poll(() => [gateway.logged('new').length, gateway.logged('more').length], within).toEqual([1, 1])
    expect(await gateway.metrics()).toContain('yarak_reloads_total{outcome="succeeded"} 1')
    expect((await gateway.stop()).code).toBe(0)
  })

  it('keeps the last good one when there is a mistake, with its place, and takes the correction', async () => {
    const path = files.write('yarak.yaml', config())
    files.write('rules.yaml', JSON.stringify([rule('old')]))
    const gateway = await running(path)
    files.write('rules.yaml', '- rule: Note\n  stepz: []\n')
    await expect.poll(() => gateway.logged('the configuration was not reloaded'), within).toHaveLength(1)
    expect(gateway.logged('the configuration was not reloaded')[0]?.['error']).toMatch(/rules\.yaml:2:3: .*stepz/)
    await gateway.post()
    await expect.poll(() => gateway.logged('old').length, within).toBe(1)
    expect(await gateway.metrics()).toContain('yarak_reloads_total{outcome="failed"} 1')
    files.write('rules.yaml', JSON.stringify([rule('right')]))
    await expect.poll(gateway.reloads, within).toHaveLength(1)
    await gateway.stop()
  })

  it('says in the log and at /readyz what the mistake is, and shows nothing of the file, where a password may stand', async () => {
    const path = files.write('yarak.yaml', config())
    files.write('rules.yaml', JSON.stringify([rule('old')]))
    const gateway = await running(path)
    files.write('yarak.yaml', config([], { outputs: { mqtt: { broker: 'tcp://me:hunter2@mqtt:1883', topics: 1 } } }))
    gateway.hangUp()
    await expect.poll(() => gateway.logged('the configuration was not reloaded'), within).toHaveLength(1)
    const said = String(gateway.logged('the configuration was not reloaded')[0]?.['error'])
    expect(said).toMatch(
      /yarak\.yaml:\d+:\d+: outputs\.mqtt\.broker: must be .*; \S*yarak\.yaml:\d+:\d+: outputs\.mqtt\.topics is not/,
    )
    const ready = await gateway.ready()
    expect(ready).toContain('the reload failed: ')
    expect(`${said} ${ready}`).not.toContain('hunter2')
    await gateway.stop()
  })

  it('reads again on SIGHUP, and tells what takes effect at the next start only', async () => {
    const path = files.write('yarak.yaml', config([]))
    const gateway = await running(path)
    gateway.hangUp()
    await expect.poll(() => gateway.logged('the configuration was read again'), within).toHaveLength(1)
    const atStart = { listen: '127.0.0.1:1', stopTimeout: '1m' }
    files.write('yarak.yaml', config([], { mode: 'enforce', inputs: { http: { path: '/in' } }, ...atStart }))
    gateway.hangUp()
    await expect.poll(gateway.reloads, within).toMatchObject([{ changes: ['mode changed'] }])
    expect(gateway.logged('these changes take effect')).toMatchObject([
      { level: 'warn', changes: ['input http changed', 'listen changed', 'stopTimeout changed'] },
    ])
    await gateway.stop()
  })

  it('a SIGHUP while it starts ends nothing', async () => {
    const gateway = launch(['run', '--config', files.write('yarak.yaml', config([]))])
    await expect.poll(() => gateway.said.err, { ...within, interval: 1 }).toContain('  mode ')
    gateway.child.kill('SIGHUP')
    await gateway.address()
    gateway.child.kill('SIGTERM')
    expect(await gateway.ended).toMatchObject({ code: 0, signal: null })
  })

  it('sees a ConfigMap being swapped: all files at once, by a link', async () => {
    const version = (name: string, message: string) => {
      mkdirSync(files.at(`map/${name}`), { recursive: true })
      writeFileSync(files.at(`map/${name}/rules.yaml`), JSON.stringify([rule(message)]))
    }
    version('..1', 'old')
    symlinkSync('..1', files.at('map/..data'))
    symlinkSync('..data/rules.yaml', files.at('map/rules.yaml'))
    const gateway = await running(files.write('yarak.yaml', config(['map/*.yaml'])))
    version('..2', 'new')
    symlinkSync('..2', files.at('map/..tmp'))
    renameSync(files.at('map/..tmp'), files.at('map/..data'))
    rmSync(files.at('map/..1'), { recursive: true })
    await expect.poll(gateway.reloads, within).toMatchObject([{ changes: ['rule Note changed'] }])
    await gateway.stop()
  })
})

describe('the signature of the files that were read', () => {
  const signed = (path: string, globs: readonly string[] = []) => {
    const watched = watchedFiles(systemFiles())
    watched.read(path)
    for (const glob of globs) watched.list(glob)
    return watched
  }

  it('stays while nothing changes', () => {
    const watched = signed(files.write('a', 'x'))
    expect(watched.signature()).toBe(watched.signature())
  })

  it.each<[string, () => void]>([
    ['content of another length', () => files.write('a', 'longer')],
    ['a file in its place', () => renameSync(files.write('b', 'x'), files.at('a'))],
    ['nothing in its place', () => rmSync(files.at('a'))],
    ['another file that the glob matches', () => files.write('more.yaml', '')],
  ])('differs with %s', (_what, change) => {
    const watched = signed(files.write('a', 'x'), [files.at('*.yaml')])
    expect(watched.signature()).toBe(watched.known)
    change()
    expect(watched.signature()).not.toBe(watched.known)
  })
})
