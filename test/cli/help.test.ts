import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folder, launch, noneLeft, ROOT, yarak } from './_kit.ts'

const COMMANDS = [
  [],
  ['run'],
  ['check'],
  ['explain'],
  ['test'],
  ['replay'],
  ['config', 'print'],
  ['config', 'migrate'],
  ['import', 'falcosidekick'],
  ['import', 'talon'],
  ['list'],
  ['schema'],
  ['send'],
  ['dlq', 'ls'],
  ['dlq', 'show'],
  ['dlq', 'replay'],
  ['dlq', 'rm'],
  ['journal', 'stats'],
]

noneLeft()

describe('--help', () => {
  it.each(COMMANDS.map((command) => [command.join(' ') || 'yarak', command] as const))(
    'of %s teaches by example',
    async (_name, command) => {
      const { code, out, err } = await yarak([...command, '--help'])
      expect({ code, err }).toEqual({ code: 0, err: '' })
      expect(out).toContain(`Usage: ${['yarak', ...command].join(' ')}`)
      expect(out).toMatch(/\nExamples?:\n {2}\S/)
    },
  )

  it('shows only examples that the command line takes', async () => {
    const pages = await Promise.all(COMMANDS.map((command) => yarak([...command, '--help'])))
    const examples = pages.flatMap(({ out }) => [...out.matchAll(/^ {2}(?:.*\| )?yarak (.+?)(?: {2,}.*| > .*)?$/gm)])
    expect(examples.length).toBeGreaterThan(15)
    for (const [, args = ''] of examples) {
      const { code, err } = await yarak([...args.split(' '), '--help'])
      expect({ args, code, err }).toEqual({ args, code: 0, err: '' })
    }
  })

  it('tells the exit codes, and the same by `help`', async () => {
    const { out } = await yarak(['--help'])
    expect(out).toContain('Exit codes: 0 done, 1 failed or problems found, 2 wrong usage.')
    expect((await yarak(['help', 'send'])).out).toBe((await yarak(['send', '--help'])).out)
  })

  it.each([[[]], [['config']]])('is what %j alone shows, as wrong usage', async (args) => {
    const { code, out, err } = await yarak(args)
    expect(code).toBe(2)
    expect(out).toBe('')
    expect(err).toContain('Commands:')
  })
})

describe('wrong usage', () => {
  it.each([
    [['rum'], /unknown command 'rum'\n\(Did you mean run\?\)\n\(yarak --help shows how\)/],
    [['run', '--rule', 'x'], /unknown option '--rule'\n\(Did you mean --rules\?\)\n\(yarak run --help shows how\)/],
    [['run', 'events.jsonl'], /too many arguments for 'run'[^]*\(yarak run --help shows how\)/],
    [['run', '--mode', 'act'], /argument 'act' is invalid. Allowed choices are observe, enforce/],
    [['run', '--config'], /option '-c, --config <file>' argument missing/],
    [['run', '--rules', 'r.yaml'], /--rules goes with --file/],
    [['run', '--config', 'a.yaml', '--file', 'b.jsonl'], /leave out --file and --rules/],
    [['check', '--config', 'a.yaml', '--rules', 'b.yaml'], /leave out --file and --rules/],
    [['check', '--falco-config', 'falco.yaml'], /--falco-config goes with --falco-rules/],
    [['explain'], /required option '-e, --event <file>' not specified/],
    [['explain', '-e', 'e.json', '-c', 'a.yaml', '-r', 'b.yaml'], /leave out --rules/],
    [['replay'], /missing required argument 'file'/],
    [['replay', 'a.jsonl', '-c', 'a.yaml', '-r', 'b.yaml'], /leave out --rules/],
    [['list'], /missing required argument 'kind'\n\(yarak list --help shows how\)/],
    [['list', 'outputz'], /value 'outputz' is invalid[^]*Allowed choices are inputs, outputs, actions, resources/],
    [['config', 'show'], /unknown command 'show'/],
    [['config', 'print', '--yaml'], /unknown option '--yaml'\n\(yarak config print --help shows how\)/],
    [['send', 'a.json', 'b.json'], /too many arguments/],
  ])('%j exits with 2 and a hint', async (args, message) => {
    const { code, out, err } = await yarak(args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(message)
  })
})

describe('the binary', () => {
  const files = folder()

  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    expect(await yarak(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' })
    expect(await launch(['-V']).ended).toMatchObject({ code: 0, out: `${version}\n`, err: '' })
  })

  it('exits with the code of its command', async () => {
    expect(await launch(['lst']).ended).toMatchObject({ code: 2, out: '' })
    expect(await launch(['run', '--config', files.at('none.yaml')]).ended).toMatchObject({
      code: 1,
      err: `${files.at('none.yaml')}: error: cannot read it: there is no such file\n\n1 error\n`,
    })
  })

  const old = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => {
    const [major = 99] = existsSync(path)
      ? spawnSync(path, ['-p', 'process.versions.node']).stdout.toString().split('.').map(Number)
      : []
    return major >= 18 && major < 22
  })
  it.skipIf(!old)('says in one line that an older Node is too old (skipped where there is none)', () => {
    const built = files.at('main.mjs')
    writeFileSync(built, stripTypeScriptTypes(readFileSync(join(ROOT, 'src/main.ts'), 'utf8')))
    const { status, stdout, stderr } = spawnSync(old ?? '', [built, 'run'], { encoding: 'utf8' })
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/^yarak needs Node\.js 22\.19 or newer, this is \d+\.\d+\.\d+\n$/)
  })
})
