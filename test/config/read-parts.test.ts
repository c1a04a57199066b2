import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { createProblems, printProblems } from '../../src/config/problems.ts'
import { parseParts } from '../../src/config/read-parts.ts'
import { readDocument } from '../../src/config/read.ts'

const LONG = 70_000

const read = (text: string) => {
  const problems = createProblems()
  const { value, places, parsed } = readDocument('x.yaml', text, problems, {
    references: { env: { NAME: 'there' }, file: () => 'text' },
  })
  return { value, parsed, places: Object.fromEntries(places), printed: printProblems(problems.list()) }
}

/** At the end, so that nothing moves: what makes the text be read as a whole. */
const whole = (text: string) => read(`${text}# &a\n`)

const isCut = (text: string): boolean => [...parseParts(text)].length > 1

const long = (item: (i: number) => string, least = LONG): string => {
  let text = ''
  for (let i = 0; text.length < least; i++) text += item(i)
  return text
}

describe('a long list', () => {
  const leaf = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom('a', ' ', '\n', '- ', '#', ':', '"', "'", '😀') }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom('${env:NAME}', '${env:NONE}', '0644'),
  )
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(tie('node')),
      fc.dictionary(fc.string({ maxLength: 8 }), tie('node')),
    ),
  })).node

  it('read in parts is what it is as a whole', () => {
    fc.assert(
      fc.property(fc.array(tree, { minLength: 1, maxLength: 20 }), fc.boolean(), (items, comments) => {
        const part = stringify(items, { aliasDuplicateObjects: false }).replace(/^\[\]\n$/, '')
        const text = long(() => (comments ? `# a comment\n\n${part}` : part))
        const { places, ...found } = read(text)
        const { places: expected, ...rest } = whole(text)
        expect(found).toEqual(rest)
        expect({ ...places, '[]': undefined }).toEqual({ ...expected, '[]': undefined })
      }),
      { numRuns: 12 },
    )
  })

  it('is cut', () => {
    expect(isCut(long((i) => `- a: ${i}\n  b: |\n    - text\n\n`))).toBe(true)
    expect(isCut(`# first\n\n${long((i) => `- a: "x\n    y ${i}"\r\n`)}`)).toBe(true)
  })

  it.each([
    ['short', () => '- a: 1\n- b: 2\n'],
    ['a map', () => long((i) => `a${i}: 1\n`)],
    ['of several documents', () => long((i) => `- a: ${i}\n---\n`)],
    ['with anchors', () => `- &x 1\n${long(() => '- a: *x\n')}`],
    ['with text at the margin', () => long((i) => `- "x\ny ${i}"\n`)],
  ])('is not when it is %s', (_what, text) => {
    expect([...parseParts(text())]).toEqual([])
  })

  it('with a fault tells it where it stands', () => {
    const { parsed, printed } = read(`${long((i) => `- a: ${i}\n`)}- a: "open\n- b: 1\n`)
    expect(parsed).toBe(false)
    expect(printed).toMatch(/^x\.yaml:\d{4}:6: error: /)
    expect(read(`${long((i) => `- a: ${i}\n`)}- a: 1\n  a: 2\n`).printed).toMatch(/error: .*a.*twice|already/i)
  })

  it('takes its references and tells of those that are not there', () => {
    const text = long((i) => `- a: \${env:NAME}\n  b: ${i}\n`)
    expect(read(`${text}- \${env:NONE}\n`).printed).toMatch(/the environment variable NONE is not set/)
    expect((read(text).value as unknown[])[1000]).toEqual({ a: 'there', b: 1000 })
  })
})
