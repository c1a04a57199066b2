import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { printProblems } from '../../src/config/index.ts'
import { lineAt } from '../../src/config/problems.ts'
import { brief, load, print } from './_kit.ts'

const START = 'version: 1\n'

describe('problems', () => {
  it('are told all at once, in the order of the file', () => {
    const { options, problems } = load(`${START}log: { levl: debug }\ninputs: { htpp: }\nmodus: enforce\n`)
    expect(options).toBeUndefined()
    expect(problems.map(({ line }) => line)).toEqual([2, 3, 4])
  })

  it('show the line and point at the value', () => {
    expect(print(load(`${START}mode: enforced\n`))).toBe(
      [
        'yarak.yaml:2:7: error: mode must be one of observe, enforce',
        '  2 | mode: enforced',
        '    |       ^^^^^^^^',
        '',
        '1 error',
        '',
      ].join('\n'),
    )
  })

  it('count errors and warnings', () => {
    const loaded = load(`${START}cluster: \${NAME}\nmode: 1\nlisten: 2\n`)
    expect(print(loaded)).toMatch(/\n2 errors, 1 warning\n$/)
  })

  it('print nothing where there is none', () => {
    expect(printProblems(load(START).problems)).toBe('')
  })

  it('of a file that is not there name it', () => {
    const loaded = load(`${START}rules: [gone.yaml]\n`)
    expect(brief(loaded.problems)).toEqual(['2:9 cannot read the rules file gone.yaml: there is no such file'])
  })

  it('keep the carets under the text after a hidden secret', () => {
    const text = print(load(`${START}outputs:\n  slack: { webhookUrl: https://hooks.slack.com/abcdef, color: red }\n`))
    expect(text).toContain(
      '  3 |   slack: { webhookUrl: ***, color: red }\n    |                                    ^^^\n',
    )
  })

  it('hide a secret that is itself wrong', () => {
    const text = print(load(`${START}outputs:\n  slack: { webhookUrl: not-to-be-shown }\n`))
    expect(text).toContain('webhookUrl: ***')
    expect(text).not.toContain('not-to-be-shown')
  })

  it('hide a secret of several lines', () => {
    const text = print(
      load(`${START}outputs:\n  slack:\n    webhookUrl: |\n      not-to-be-shown\n      neither-this\n`),
    )
    expect(text).not.toMatch(/not-to-be-shown|neither-this/)
  })

  it('hide what was meant as a secret', () => {
    const text = print(
      load(`${START}outputs:\n  slack: { webhokUrl: not-to-be-shown }\n  slk: { tokenn: not-to-be-shown }\n`),
    )
    expect(text).not.toContain('not-to-be-shown')
  })

  it('hide a secret on a line that is not YAML', () => {
    const text = print(load(`${START}outputs:\n  slack:\n\twebhookUrl: not-to-be-shown\n`))
    expect(text).toContain('a tab cannot indent')
    expect(text).not.toContain('not-to-be-shown')
  })

  it('let no control character through', () => {
    const text = print(load(`${START}cluster: 7 # \u001b[31m red \u202e\nmode: x\u0007\n`))

    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
  })

  it('cut a long line around the place', () => {
    const long = `{ a: ${'x'.repeat(400)}, level: loud }`
    const text = print(load(`${START}log: ${long}\n`))
    for (const line of text.split('\n').filter((one) => one.includes(' | '))) expect(line.length).toBeLessThan(200)
    expect(text).toMatch(/… *level: loud|level: loud/)
  })

  it('count columns in characters, with Windows line ends too', () => {
    expect(lineAt('a\r\nb😀c', 7)).toMatchObject({ line: 2, column: 4 - 0, start: 3 })
    const { problems } = load('version: 1\r\nmode: enforced\r\n')
    expect(problems[0]).toMatchObject({ line: 2, column: 7, excerpt: { text: 'mode: enforced', from: 6, to: 14 } })
  })

  it('stand inside the text whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), (text) => {
        const { problems } = load(text)
        const lines = text.split('\n').length
        for (const { line, column, excerpt } of problems) {
          expect(line).toBeLessThanOrEqual(lines)
          expect(column).toBeGreaterThan(0)
          if (excerpt) expect(excerpt.to).toBeGreaterThan(excerpt.from)
        }
        expect(printProblems(problems)).toMatch(/error/)
      }),
      { numRuns: 200 },
    )
  })
})
