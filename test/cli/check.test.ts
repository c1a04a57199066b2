import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { folder, yarak } from './_kit.ts'

const files = folder()

const RULE = `- rule: Shell
  match: { rules: [Terminal shell in container] }
  steps: [{ action: log, with: { message: '{{ proc.name }}' } }]
`

describe('check', () => {
  it('says ok, and what there is', async () => {
    expect(await yarak(['check', '--config', 'config/yarak.yaml'])).toEqual({
      code: 0,
      out: 'ok: 2 inputs, 3 rules, 1 output\n',
      err: '',
    })
  })

  it('takes the demo when nothing is named', async () => {
    expect((await yarak(['check'])).out).toBe('ok: 2 inputs, 3 rules, 1 output\n')
  })

  it('shows every problem at its place, and exits with 1', async () => {
    const { code, out, err } = await yarak(['check', '--config', 'test/fixtures/broken/unknown-settings.yaml'])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toBe(readFileSync('test/fixtures/broken/unknown-settings.txt', 'utf8'))
  })

  it('shows warnings and exits with 0', async () => {
    const config = files.write('yarak.yaml', 'version: 1\nrules: [none-*.yaml]\n')
    const { code, out, err } = await yarak(['check', '--config', config])
    expect({ code, out }).toEqual({ code: 0, out: 'ok: 0 inputs, 0 rules, 0 outputs\n' })
    expect(err).toMatch(/yarak\.yaml:2:9: warning: rules: no file matches none-\*\.yaml[^]*\n1 warning\n$/)
  })

  it('prints the problems as JSON, and nothing else', async () => {
    const config = files.write('yarak.yaml', 'version: 1\nmod: enforce\n')
    const { code, out, err } = await yarak(['check', '--json', '--config', config])
    expect({ code, err }).toEqual({ code: 1, err: '' })
    expect(JSON.parse(out)).toEqual({
      ok: false,
      problems: [
        {
          severity: 'error',
          message: expect.stringContaining('did you mean `mode`?') as string,
          file: config,
          line: 2,
          column: 1,
          excerpt: { text: 'mod: enforce', from: 0, to: 3 },
        },
      ],
    })
    expect(JSON.parse((await yarak(['check', '--json'])).out)).toEqual({ ok: true, problems: [] })
  })

  it('checks rules files alone', async () => {
    const good = files.write('good.yaml', RULE)
    expect(await yarak(['check', '--rules', good])).toEqual({ code: 0, out: 'ok: 1 rule\n', err: '' })
    const bad = files.write('bad.yaml', RULE.replace('action: log', 'action: lag').replace('Shell', 'Other'))
    const { code, err } = await yarak(['check', '-r', good, '-r', bad])
    expect(code).toBe(1)
    expect(err).toMatch(/bad\.yaml:3:21: error: .*lag.*did you mean `log`/)
    expect(err).toContain("  3 |   steps: [{ action: lag, with: { message: '{{ proc.name }}' } }]\n")
  })

  it('says which file named on the command line cannot be read, without a place', async () => {
    const { code, err } = await yarak(['check', '--rules', files.at('none.yaml')])
    expect({ code, err }).toEqual({
      code: 1,
      err: `command line: error: cannot read the rules file ${files.at('none.yaml')}: there is no such file\n\n1 error\n`,
    })
    expect((await yarak(['check', '--config', files.at('.')])).err).toContain('cannot read it: it is a folder')
  })

  it('takes the name of a file as it is written', async () => {
    const odd = files.write('${env:HOME} $& x.yaml', RULE)
    expect(await yarak(['check', '--rules', odd])).toEqual({ code: 0, out: 'ok: 1 rule\n', err: '' })
  })
})
