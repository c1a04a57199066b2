import { describe, expect, it } from 'vitest'
import { builtin } from '../../src/builtin.ts'
import { folder, launch, noneLeft, yarak } from './_kit.ts'

const files = folder()
noneLeft()

const SECRETS = `version: 1
inputs:
  http: { token: 'not-to-be-shown' }
outputs:
  slack: { webhookUrl: '\${env:HOOK}' }
`
const env = { HOOK: 'https://hooks.example/also-not-to-be-shown' }

describe('config print', () => {
  it.each([[[]], [['--effective']], [['--json']], [['--effective', '--json']]])('%j shows no secret', async (flags) => {
    const config = files.write('yarak.yaml', SECRETS)
    const { code, out, err } = await yarak(['config', 'print', '--config', config, ...flags], { env })
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).not.toContain('not-to-be-shown')
    expect(out).toContain('***')
    if (flags.includes('--json')) expect(JSON.parse(out)).toBeTypeOf('object')
  })

  it('--effective adds the defaults and says where each value comes from', async () => {
    const config = files.write('yarak.yaml', SECRETS)
    const { out } = await yarak(['config', 'print', '--effective', '--config', config], { env })
    expect(out).toMatch(/mode: observe +# default/)
    expect(out).toMatch(/webhookUrl: .*\*\*\*.* # env HOOK/)
    expect((await yarak(['config', 'print', '--config', config], { env })).out).not.toContain('mode:')
  })

  it('tells the problems of a file that has some, and exits with 1', async () => {
    const config = files.write('yarak.yaml', SECRETS)
    const { code, out, err } = await yarak(['config', 'print', '--config', config])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toContain('the environment variable HOOK is not set')
    expect(err).not.toContain('not-to-be-shown')
  })
})

describe('list', () => {
  it.each(['inputs', 'actions', 'outputs', 'resources'] as const)(
    '%s as JSON is an array of all there are',
    async (kind) => {
      const { code, out } = await yarak(['list', kind, '--json'])
      const rows = JSON.parse(out) as { type: string; summary: string; config: { type: string } }[]
      expect(code).toBe(0)
      expect(rows.map(({ type }) => type)).toEqual(
        builtin[kind].map(({ type }) => type).sort((a, b) => a.localeCompare(b)),
      )
      for (const row of rows)
        expect(row).toMatchObject({ summary: expect.stringMatching(/\.$/) as string, config: { type: 'object' } })
    },
  )

  it('names actions as Falco Talon does, and outputs as Falcosidekick does', async () => {
    expect((await yarak(['list', 'actions'])).out).toMatch(/^kubernetes:terminate {2,}\S/m)
    expect((await yarak(['list', 'outputs'])).out).toMatch(/^slack {2,}\S/m)
  })

  it('is a plain table: a line for each, columns in line, nothing at the ends', async () => {
    const { out } = await yarak(['list', 'actions'], { colours: true })
    const lines = out.trimEnd().split('\n')
    expect(lines).toHaveLength(builtin.actions.length)
    const columns = lines.map((line) => /^\S+ {2,}/.exec(line)?.[0].length)
    expect(new Set(columns).size).toBe(1)
    expect(out).not.toMatch(/ \n|[\u001b│─┌]/)
  })
})

describe('schema', () => {
  it('prints the JSON Schema of the configuration', async () => {
    const { code, out } = await yarak(['schema'])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      required: ['version'],
      properties: {
        mode: { description: expect.stringContaining('observe') as string },
        inputs: {},
        outputs: {},
        rules: {},
      },
    })
  })
})

describe('as a process', () => {
  it('writes no colour where it is not read on a terminal, whatever asks for colours', async () => {
    const ran = await Promise.all(
      [['list', 'outputs'], ['--help'], ['check', '--config', 'test/fixtures/broken/tab.yaml']].map(
        (args) => launch(args, { env: { FORCE_COLOR: '1', CLICOLOR_FORCE: '1' } }).ended,
      ),
    )
    for (const { out, err } of ran) {
      expect(out + err).not.toBe('')
      expect(out + err).not.toContain('\u001b')
    }
  })

  it('does not crash when nobody reads on', async () => {
    const { child, ended, said } = launch(['schema'])
    child.stdout.destroy()
    const { code } = await ended
    expect({ code, err: said.err }).toEqual({ code: 0, err: '' })
  })
})
