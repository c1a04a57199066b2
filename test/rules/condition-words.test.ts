import { describe, expect, it } from 'vitest'
import { compileCondition, type ConditionError, parseCondition } from '../../src/rules/condition.ts'
import { anEvent } from '../../src/testing.ts'

const errorOf = (text: string): ConditionError => {
  try {
    parseCondition(text)
  } catch (error) {
    return error as ConditionError
  }
  throw new Error(`it was taken: ${text}`)
}

describe('a quoted value', () => {
  const text = (written: string): string => {
    const parsed = parseCondition(`a.b = ${written}`)
    return parsed.kind === 'check' ? (parsed.values[0] ?? '') : ''
  }

  it.each([
    ['""', ''],
    ["'mixed \"'", 'mixed "'],
    [String.raw`"a \"b\" c"`, 'a "b" c'],
    [String.raw`'it\'s'`, "it's"],
    [String.raw`"tab\tline\nend\r\b\f"`, 'tab\tline\nend\r\b\f'],
    [String.raw`"back\\slash \/ \x41\x5c"`, String.raw`back\slash / A\ `.trim()],
    [String.raw`"bad escape \ "`, 'bad escape \\'],
    [String.raw`'two \' \\''`, String.raw`two ' \'`],
    ['"x, (y) = z"', 'x, (y) = z'],
    ['0a!@#456:/\\.;!$%^&*[]{}|', '0a!@#456:/\\.;!$%^&*[]{}|'],
    ['*.log', '*.log'],
    ['b64', 'b64'],
    ['c.d', 'c.d'],
  ])('%s', (written, value) => {
    expect(text(written)).toBe(value)
  })

  it.each([
    [
      String.raw`a.b = "x\d"`,
      String.raw`\d is no escape: there are \\ \n \t \r \b \f \/ \xHH and the quote itself; a backslash is \\`,
      8,
    ],
    [
      String.raw`a.b = "it\'s"`,
      String.raw`\' is no escape: there are \\ \n \t \r \b \f \/ \xHH and the quote itself; a backslash is \\`,
      9,
    ],
    [
      String.raw`a.b = "\xg0"`,
      String.raw`\x is no escape: there are \\ \n \t \r \b \f \/ \xHH and the quote itself; a backslash is \\`,
      7,
    ],
    [String.raw`a.b = "C:\\"`, String.raw`this quote is never closed; write a backslash at the end as \x5c`, 6],
  ])('is refused where it is wrong: %s', (written, message, offset) => {
    expect(errorOf(written)).toMatchObject({ message, offset })
  })
})

describe('a name', () => {
  it.each([
    ['k8s.namespace.name = x', 'k8s.ns.name', 0],
    ['a = b and not k8s.deploy.name = x', 'k8s.deployment.name', 14],
    ['proc.nmae = x', 'proc.name', 0],
    ['tolower(proc.nmae) = x', 'proc.name', 8],
    ['a = val(proc.cmdlin)', 'proc.cmdline', 8],
    ['prco.name exists', 'proc.name', 0],
    ['prioritty >= warning', 'priority', 0],
  ])('that resembles a known one is refused: %s', (text, meant, offset) => {
    const error = errorOf(text)
    expect(error.message).toContain(`did you mean \`${meant}\`? If not, write fields["`)
    expect(error.offset).toBe(offset)
  })

  it.each([
    'fields["k8s.namespace.name"] = x',
    'my.own.field = x',
    'proc.something_new = 1',
    'customer = x',
    'env = prod',
  ])('of a plugin, of a newer Falco, or in brackets is taken: %s', (text) => {
    expect(compileCondition(text)({ event: anEvent({}) })).toBe(false)
  })
})
