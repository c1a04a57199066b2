import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FieldValue } from '../../src/event.ts'
import { type Check, compileCondition, parseCondition } from '../../src/rules/condition.ts'
import { readOption, readOptions } from '../../src/rules/getopt.ts'
import { expressionReader, fieldReader } from '../../src/rules/transform.ts'
import { anEvent } from '../../src/testing.ts'

const event = anEvent({
  output_fields: {
    'proc.name': 'Bash',
    'proc.exepath': '/usr/bin/Bash',
    'proc.args': '-nt 5  -x file',
    'proc.env': ['A=1', 'B=2'],
    'proc.cmdline': 'YmFzaA==',
    'user.uid': 0,
    'fs.path.name': '/tmp/',
    'fd.name': null,
    'container.name': 'N/A',
    'fd.cip': '10.0.0.1',
    'fd.sip': '<NA>',
    'fd.sport': 443,
    accent: 'é',
    words: 'aGk gaGk',
  },
})
const scope = { event }

const valueOf = (expression: string): FieldValue | undefined => {
  const { left } = parseCondition(`${expression} exists`) as Check
  if (!left) throw new Error('no transformer')
  return expressionReader(left)(scope)
}

describe('a transformer', () => {
  it.each<[string, FieldValue | undefined]>([
    ['toupper(proc.name)', 'BASH'],
    ['tolower(proc.name)', 'bash'],
    ['tolower(user.uid)', '0'],
    ['toupper(proc.env)', ['A=1', 'B=2']],
    ['basename(proc.exepath)', 'Bash'],
    ['basename(proc.name)', 'Bash'],
    ['basename(fs.path.name)', ''],
    ['tolower(basename(proc.exepath))', 'bash'],
    ['len(proc.name)', 4],
    ['len(accent)', 2],
    ['len(proc.env)', 2],
    ['len(fs.path.name)', 5],
    ['b64(proc.cmdline)', 'bash'],
    ['toupper(b64(proc.cmdline))', 'BASH'],
    ['b64(words)', undefined],
    ['b64(proc.exepath)', undefined],
    ['concat(proc.name, ":", user.uid)', 'Bash:0'],
    ['concat(proc.name, 0x1f)', 'Bash0x1f'],
    ['join(", ", proc.env)', 'A=1, B=2'],
    ['join("-", (proc.name, "x", tolower(proc.name)))', 'Bash-x-bash'],
    ['join("-", proc.name)', 'Bash'],
    ['join(proc.name, ())', ''],
    ['getopt(proc.args, "nt:x")', ['n', 't', '5', 'x']],
    ['getopt(proc.args, "nt:x")[t]', '5'],
    ['getopt(proc.args, "nt:x")["n"]', 'n'],
    ['getopt(proc.args, "nt:xq")[q]', undefined],
    ['getopt(proc.env, "a")', []],
    ['tolower(fd.name)', undefined],
    ['tolower(nothing)', undefined],
    ['tolower(container.name)', undefined],
    ['len(fd.name)', undefined],
    ['concat(proc.name, fd.name)', undefined],
    ['join(",", (proc.name, fd.name))', undefined],
    ['getopt(nothing, "a")', undefined],
  ])('%s', (expression, value) => {
    expect(valueOf(expression)).toEqual(value)
  })

  it('of an absent field exists as little as the field', () => {
    expect(compileCondition('tolower(fd.name) exists or tolower(fd.name) != x')(scope)).toBe(false)
    expect(compileCondition('tolower(proc.name) exists and tolower(proc.name) != x')(scope)).toBe(true)
  })

  it('may stand on the right', () => {
    expect(compileCondition('proc.name = basename(proc.exepath)')(scope)).toBe(true)
    expect(compileCondition('tolower(proc.name) = b64(proc.cmdline)')(scope)).toBe(true)
    expect(compileCondition('len(proc.name) > val(user.uid)')(scope)).toBe(true)
    expect(compileCondition('user.uid < val(proc.name)')(scope)).toBe(false)
    expect(compileCondition('proc.exepath endswith val(proc.name)')(scope)).toBe(true)
    expect(compileCondition('proc.name != val(fd.name)')(scope)).toBe(false)
  })

  it('on the right that gives a list: one is enough, to differ all must', () => {
    const holds = (text: string): boolean =>
      compileCondition(text)({ event: anEvent({ output_fields: { a: 'x', b: ['x', 'y'], c: ['y', 'z'], d: [] } }) })
    expect(['a = val(b)', 'a = val(c)', 'a = val(d)'].map(holds)).toEqual([true, false, false])
    expect(['a in val(b)', 'a in val(c)', 'b in val(b)', 'b in val(c)'].map(holds)).toEqual([true, false, true, false])
    expect(['b intersects val(c)', 'a intersects val(c)'].map(holds)).toEqual([true, false])
    expect(['a != val(b)', 'a != val(c)'].map(holds)).toEqual([false, true])
  })

  it('on the right of a priority compares severities, and nothing when it names none', () => {
    const holds = (text: string, least: string): boolean =>
      compileCondition(text)({ event: anEvent({ priority: 'Warning', output_fields: { least } }) })
    expect(holds('priority >= val(least)', 'notice')).toBe(true)
    expect(holds('priority >= val(least)', 'critical')).toBe(false)
    expect(holds('priority >= val(least)', 'nonsense')).toBe(false)
  })
})

describe('a field', () => {
  it('of either end is answered by the ends that are there', () => {
    expect(fieldReader('fd.ip')(scope)).toEqual(['10.0.0.1'])
    expect(fieldReader('fd.cnet')(scope)).toEqual(['10.0.0.1'])
    expect(fieldReader('fd.snet')(scope)).toBeUndefined()
    expect(fieldReader('fd.port')(scope)).toEqual([443])
    expect(fieldReader('fd.proto')(scope)).toBeUndefined()
  })

  it('of either end holds for one end, and differs when both do', () => {
    const both = { event: anEvent({ output_fields: { 'fd.cip': '10.0.0.1', 'fd.sip': '8.8.8.8' } }) }
    const holds = (text: string): boolean => compileCondition(text)(both)
    expect(holds('fd.net in (10.0.0.0/8)')).toBe(true)
    expect(holds('fd.ip = 8.8.8.8')).toBe(true)
    expect(holds('fd.ip != 8.8.8.8')).toBe(false)
    expect(holds('fd.net != 172.16.0.0/12')).toBe(true)
    expect(holds('fd.snet in (10.0.0.0/8)')).toBe(false)
  })

  it('of its own in the event goes first', () => {
    const own = { event: anEvent({ output_fields: { 'fd.net': '9.9.9.9', 'fd.cip': '10.0.0.1' } }) }
    expect(fieldReader('fd.net')(own)).toBe('9.9.9.9')
  })
})

describe('the options of a command', () => {
  it.each<[string[], string, string[]]>([
    [['-n', '-t', '5', 'file', '-x'], 'nt:x', ['n', 't', '5']],
    [['-nt5'], 'nt:', ['n', 't', '5']],
    [['-tn'], 'nt:', ['t', 'n']],
    [['--exec', '-n'], 'n', ['n']],
    [['-n', '--', '-x'], 'nx', ['n']],
    [['-'], 'n', []],
    [['-q', '-n'], 'n', ['?', 'n']],
    [['-qn'], 'n', ['?', 'n']],
    [['-t'], 't:', ['']],
    [['-t', '-n'], 't:n', ['t', '-n']],
    [['-:'], ':n', ['?']],
    [[], 'n', []],
    [['-n'], '', ['?']],
  ])('%j by %j', (args, options, read) => {
    expect(readOptions(args, options)).toEqual(read)
  })

  it('one of them is the last of its kind', () => {
    expect(readOption(['-t1', '-t', '2', '-n'], 'nt:', 't')).toBe('2')
    expect(readOption(['-n'], 'nt:', 'n')).toBe('n')
    expect(readOption(['-n'], 'nt:', 't')).toBeUndefined()
    expect(readOption(['-n', '-t'], 'nt:', 't')).toBe('')
  })

  it('are read from any arguments', () => {
    const arg = fc.string({ unit: fc.constantFrom('-', 'n', 't', ':', 'x', '🦉'), maxLength: 4 })
    fc.assert(
      fc.property(fc.array(arg), fc.string({ unit: fc.constantFrom('n', 't', ':'), maxLength: 4 }), (args, options) => {
        const read = readOptions(args, options)
        const last = readOption(args, options, 'n')
        expect(last === undefined || read.includes(last)).toBe(true)
      }),
    )
  })
})
