import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { about, alert } from '../kit.ts'
import { folder, launch, noneLeft, yarak } from './_kit.ts'

const files = folder()
noneLeft()

/** A rule whose step leaves a file. */
const touching = (name: string, rule = 'Touch') => `- rule: ${rule}
  match: { priority: '>=notice' }
  steps:
    - action: local:script
      with: { command: [touch, '${files.at(name)}'], changes: reversible }
`

const trees = (out: string): string[] => out.split('\n').filter((line) => line.startsWith('trace '))

describe('run --file --rules --once', () => {
  it('prints a tree for each response, changes nothing, and ends with 0', async () => {
    const events = files.write('events.jsonl', [about('web-1'), about('web-2')])
    const rules = files.write('rules.yaml', touching('touched'))
    const { code, out, err } = await yarak(['run', '--file', events, '--rules', rules, '--once'])
    expect(code).toBe(0)
    expect(trees(out)).toHaveLength(2)
    expect(out).toMatch(/^tail file · Terminal shell in container · Notice +[\d.]+ ms$/m)
    expect(out).toMatch(/─ respond Touch · observe +✔ succeeded +[\d.]+ ms$/m)
    expect(out).toMatch(/─ action local:script +✔ succeeded \(simulated\) +[\d.]+ ms$/m)
    expect(out).not.toContain('\u001b')
    expect(err).toContain('mode     observe (nothing is changed)')
    expect(err).not.toContain('listen ')
    expect(existsSync(files.at('touched'))).toBe(false)
  })

  it('acts with --mode enforce', async () => {
    const events = files.write('events.jsonl', [alert()])
    const rules = files.write('rules.yaml', touching('touched'))
    const args = ['run', '-f', events, '-r', rules, '--once', '--mode', 'enforce']
    const { code, out, err } = await yarak(args)
    expect(code).toBe(0)
    expect(out).toMatch(/─ respond Touch · enforce +✔ succeeded/)
    expect(out).toContain('touch exited with 0')
    expect(err).toContain('mode     enforce (steps really act)')
    expect(existsSync(files.at('touched'))).toBe(true)
  })

  it('shows the spans of a response in the order in which they began', async () => {
    const events = files.write('events.jsonl', [alert()])
    const rules = files.write('rules.yaml', touching('touched'))
    for (let i = 0; i < 5; i++) {
      const { out } = await yarak(['run', '-f', events, '-r', rules, '--once'])
      expect(out.indexOf('─ match')).toBeLessThan(out.indexOf('─ respond'))
    }
  })

  it('takes several files and several rules files', async () => {
    const events = ['a', 'b'].map((name) => files.write(`${name}.jsonl`, [about(name)]))
    const rules = ['one', 'two'].map((name) => files.write(`${name}.yaml`, touching(name, name)))
    const { code, out, err } = await yarak([
      ...['run', '--once', '--mode', 'enforce'],
      ...events.flatMap((file) => ['--file', file]),
      ...rules.flatMap((file) => ['--rules', file]),
    ])
    expect(code).toBe(0)
    expect(trees(out)).toHaveLength(2)
    expect(err).toContain('rules    2\n')
    for (const name of ['one', 'two']) {
      expect(out.match(new RegExp(`respond ${name} `, 'g'))).toHaveLength(2)
      expect(existsSync(files.at(name))).toBe(true)
    }
  })

  it('takes a last line without a newline, and refuses what is not an alert with its place', async () => {
    const lines = [JSON.stringify(about('web-1')), '{"rule": "cut', 'Notice: text', JSON.stringify(about('web-2'))]
    const events = files.write('events.jsonl', lines.join('\n'))
    const { code, out, err } = await yarak(['run', '-f', events, '-r', files.write('r.yaml', touching('x')), '--once'])
    expect(code).toBe(0)
    expect(trees(out)).toHaveLength(2)
    expect(err).toContain(`"at":"${events}:${Buffer.byteLength(lines[0] ?? '') + 1}"`)
    expect(err.match(/a line was refused/g)?.length).toBe(2)
  })

  it('lets what runs finish before it ends', async () => {
    const rules = files.write(
      'rules.yaml',
      `- rule: Slow
  steps:
    - action: local:script
      with: { command: [sh, -c, 'sleep 0.5; echo done > "$1"', sh, '${files.at('done')}'], changes: nothing }
`,
    )
    const { code, out } = await yarak(['run', '-f', files.write('e.jsonl', [alert()]), '-r', rules, '--once'])
    expect(code).toBe(0)
    expect(out).toMatch(/respond Slow · observe +✔ succeeded/)
    expect(readFileSync(files.at('done'), 'utf8')).toBe('done\n')
  })

  it('without rules it only reads', async () => {
    expect(await yarak(['run', '-f', files.write('e.jsonl', [alert()]), '--once'])).toMatchObject({ code: 0, out: '' })
  })

  it('is a process that ends by itself', async () => {
    const events = files.write('events.jsonl', [alert()])
    const ran = await launch(['run', '-f', events, '-r', files.write('r.yaml', touching('x')), '--once']).ended
    expect(ran).toMatchObject({ code: 0, signal: null })
    expect(trees(ran.out)).toHaveLength(1)
  })
})

describe('what cannot be read', () => {
  it.each([
    [
      'a missing rules file',
      () => ['-f', files.write('e.jsonl', []), '-r', files.at('no.yaml')],
      /cannot read the rules file .*no\.yaml: there is no such file/,
    ],
    [
      'a missing file of alerts',
      () => ['-f', files.at('no.jsonl')],
      /^command line: error: cannot read .*no\.jsonl: there is no such file\n/,
    ],
    ['a folder of alerts', () => ['-f', files.at('.')], /is not a regular file/],
    [
      'rules with a mistake',
      () => ['-f', files.write('e.jsonl', []), '-r', files.write('r.yaml', '- rule: x\n  stps: []\n')],
      /r\.yaml:2:3: error: .*did you mean `steps`/,
    ],
  ])('%s: one message, exit code 1, nothing is started', async (_what, args, message) => {
    const { code, out, err } = await yarak(['run', '--once', ...args()])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(message)
    expect(err).not.toContain('Yarak ')
  })

  it.skipIf(process.getuid?.() === 0)('a file that may not be read (not told apart from others by root)', async () => {
    const events = files.write('e.jsonl', [alert()])
    chmodSync(events, 0)
    const { code, err } = await yarak(['run', '--once', '-f', events])
    expect(code).toBe(1)
    expect(err).toContain(`cannot read ${events}: permission denied`)
  })
})

describe('run --config --once', () => {
  it('takes rules that name outputs of another configuration, and tells nobody', async () => {
    const rule = { rule: 'Note', notify: ['slack/secops'], steps: [{ action: 'log', with: { message: 'seen' } }] }
    const rules = files.write('rules.yaml', JSON.stringify([rule]))
    const events = files.write('events.jsonl', [alert()])
    const { code, out, err } = await yarak(['run', '--file', events, '--rules', rules, '--once'])
    expect({ code, trees: trees(out).length, told: err.includes('slack') }).toEqual({ code: 0, trees: 1, told: false })
  })

  it('reads the files of the configuration once', async () => {
    const events = files.write('events.jsonl', [alert()])
    files.write('rules.yaml', touching('touched'))
    const config = files.write('yarak.yaml', {
      version: 1,
      listen: '127.0.0.1:0',
      dataDir: files.at('data'),
      inputs: { http: {}, 'file/a': { path: events, from: 'beginning' } },
      rules: ['rules.yaml'],
      telemetry: { console: true },
    })
    const { code, out } = await yarak(['run', '--config', config, '--once'])
    expect(code).toBe(0)
    expect(trees(out)).toHaveLength(1)
    const enforced = await yarak(['run', '--config', config, '--once', '--mode', 'enforce'])
    expect(enforced.out).toContain('respond Touch · enforce')
  })

  it('ends also where nothing is read', async () => {
    const config = files.write('yarak.yaml', { version: 1, listen: '127.0.0.1:0', inputs: { http: {} } })
    expect(await yarak(['run', '--config', config, '--once'])).toMatchObject({ code: 0, out: '' })
  })

  it('tells options that the gateway refuses, and exits with 1', async () => {
    const config = files.write('yarak.yaml', 'version: 1\nlisten: "127.0.0.1:99999"\nmode: "${env:MODE}"\n')
    const { code, err } = await yarak(['run', '--config', config], { env: { MODE: 'act' } })
    expect(code).toBe(1)
    expect(err).toMatch(/listen: must be host:port[^]*mode must be one of observe, enforce[^]*2 errors/)
  })
})
