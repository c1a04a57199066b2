import { chmodSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { builtin } from '../../src/builtin.ts'
import { loadConfig } from '../../src/config/index.ts'
import { configurationFindings } from '../../src/doctor/configuration.ts'
import { NODE, versionFindings } from '../../src/doctor/versions.ts'
import { VERSION } from '../../src/version.ts'
import { folder, lines, optionsOf } from './_kit.ts'

const files = folder()

const found = (config: object | string, mode = 0o600, env = {}) => {
  const text =
    typeof config === 'string' ? config : JSON.stringify({ version: 1, dataDir: files.at('data'), ...config })
  const file = files.write('yarak.yaml', text)
  chmodSync(file, mode)
  return configurationFindings(loadConfig({ file, env, plugins: builtin }))
}

const FULL = {
  inputs: { http: {} },
  outputs: { stdout: {} },
  rules: [{ rule: 'Ours', match: {}, steps: [{ action: 'log', with: { message: 'x' } }] }],
}

describe('the configuration', () => {
  it('that loads', () => {
    expect(lines(found(FULL)).map((line) => line.replace(files.at(''), ''))).toEqual([
      expect.stringMatching(/^ok load: \S+ has 1 input, 1 rule, 1 output$/),
      'ok secrets: none stands in the file itself',
      expect.stringMatching(/^ok mode: observe: .* `mode: enforce` does it$/),
      expect.stringMatching(/^(ok|warn) dataDir/),
      expect.stringMatching(/^ok space: .* are free for a journal of at most 1 GiB$/),
    ])
  })

  it('that does not: how many errors, the first, its place, and what shows all', () => {
    const [one, ...more] = found({ mode: 'on', listen: 'nowhere' })
    expect(one).toMatchObject({
      status: 'fail',
      message: expect.stringMatching(/^2 errors, the first: /) as string,
      remedy: `yarak check --config ${files.at('yarak.yaml')}`,
      place: expect.stringMatching(/yarak.yaml:1:\d+$/) as string,
    })
    expect(more.map(({ name }) => name)).toEqual(['secrets'])
  })

  it('with a warning', () => {
    const [one] = found({ ...FULL, listen: { address: '127.0.0.1:0', inputs: [] } })
    expect(one).toMatchObject({ status: 'warn', message: '1 warning, the first: no listener serves inputs.http' })
  })

  it('with nothing in it', () => {
    expect(
      lines(found({}))
        .filter((line) => line.startsWith('warn '))
        .slice(0, 3),
    ).toEqual([
      'warn inputs: there are none, so no event comes in',
      'warn rules: there are none, so no event is answered',
      'warn outputs: there are none, so nobody is told',
    ])
  })
})

describe('secrets in the file', () => {
  const token = (text: string) => ({ ...FULL, inputs: { http: { token: text } } })

  it('that everybody may read', () => {
    const one = found(token('a-token-of-ours'), 0o644).find(({ name }) => name === 'secrets')
    expect(one).toMatchObject({
      status: 'warn',
      message: '1 secret in plain text, and everybody may read the file (mode 0644)',
    })
    expect(one?.remedy).toContain('chmod 600')
    expect(JSON.stringify(one)).not.toContain('a-token-of-ours')
  })

  it.each([
    ['that few may read', 'a-token-of-ours', 0o640],
    ['that stand elsewhere', '${env:TOKEN}', 0o644],
  ])('%s', (_what, text, mode) => {
    const all = lines(found(token(text), mode, { TOKEN: 'a-token-of-ours' }))
    expect(all).toContainEqual(expect.stringMatching(/^ok secrets/))
  })
})

describe('dataDir', () => {
  it('that cannot be', () => {
    files.write('file', '')
    const all = lines(found({ ...FULL, dataDir: files.at('file/data') }))
    expect(all).toContainEqual(expect.stringMatching(/^fail dataDir: .* cannot be written: .*file is no folder$/))
  })

  it('that a restart loses', () => {
    expect(lines(found({ ...FULL, dataDir: '/dev/shm/yarak' }))).toContainEqual(
      expect.stringMatching(/^warn dataDir: \/dev\/shm\/yarak is on tmpfs: a restart loses the journal/),
    )
  })

  it('that is smaller than the journal may become', () => {
    const all = lines(found({ ...FULL, journal: { maxSize: '900000GiB' } }))
    expect(all).toContainEqual(expect.stringMatching(/^warn space: .* are free below .* may take 878.9 TiB$/))
  })

  it('that nothing is kept in', () => {
    expect(lines(found({ ...FULL, journal: { enabled: false } }))).toContainEqual(
      expect.stringMatching(/^skip dataDir/),
    )
  })
})

describe('versions', () => {
  const facts = { node: '24.0.0', openFiles: 1e6, has: () => true, lives: () => false }

  it('are those that are needed', () => {
    expect(lines(versionFindings(facts, optionsOf(FULL)))).toEqual([
      'ok Node.js: version 24.0.0',
      `ok Yarak: version ${VERSION}`,
      'ok open files: 1000000 may be open at once',
    ])
  })

  it('the oldest Node.js is that of the package', () => {
    const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } }
    expect(engines.node).toBe(`>=${NODE}`)
  })

  it.each([
    ['18.0.0', 'fail'],
    ['22.18.9', 'fail'],
    ['22.19.0', 'ok'],
    ['23.0.0', 'ok'],
  ])('Node.js %s: %s', (node, status) => {
    expect(versionFindings({ ...facts, node }, undefined)[0]).toMatchObject({ status })
  })

  it('a package that is missing is named with who needs it and how it comes', () => {
    const outputs = { redis: { address: 'r:1' }, nats: { hostPort: 'n:1' } }
    const all = versionFindings({ ...facts, has: (name) => name !== 'ioredis' }, optionsOf({ outputs }))
    expect(all).toContainEqual({
      ...{ group: 'versions', name: 'ioredis', status: 'fail', remedy: 'npm install ioredis' },
      message: 'the package is not installed, and redis needs it',
    })
    expect(lines(versionFindings(facts, optionsOf({ outputs })))).toContainEqual(
      expect.stringMatching(/^ok packages: .*ioredis/),
    )
  })

  it('too few open files for the connections that listeners may hold', () => {
    const listen = { address: '127.0.0.1:0', maxConnections: 5_000 }
    const all = versionFindings({ ...facts, openFiles: 1_024 }, optionsOf({ listen }))
    expect(all.at(-1)).toMatchObject({ status: 'warn', remedy: expect.stringContaining('ulimit -n 5512') as string })
    expect(versionFindings({ ...facts, openFiles: undefined }, undefined).at(-1)).toMatchObject({ status: 'skip' })
  })
})
