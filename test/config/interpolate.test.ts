import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { builtin } from '../../src/builtin.ts'
import { loadConfig } from '../../src/config/index.ts'
import { interpolate } from '../../src/config/interpolate.ts'
import { inputOf } from '../../src/options.ts'

const references = {
  env: { HOST: 'db', EMPTY: '', REFERENCE: '${env:HOST}' },
  file: (path: string) => {
    if (path !== '/secret') throw new Error('there is no such file')
    return 's3cr3t\n'
  },
}

const text = (scalar: string) => interpolate(scalar, references).text
const faults = (scalar: string) =>
  interpolate(scalar, references).faults.map(({ offset, message }) => `${offset} ${message}`)

it('`${here}` is the folder of the file', () => {
  const references = { env: {}, file: () => '', here: '/etc/yarak' }
  expect(interpolate('${here}/rules.yaml', references).text).toBe('/etc/yarak/rules.yaml')
  const { options } = loadConfig({
    file: '/etc/yarak/yarak.yaml',
    text: 'version: 1\ninputs: { file: { path: "${here}/x.jsonl" } }\n',
    env: {},
    plugins: builtin,
  })
  expect(options?.inputs.map((input) => inputOf(input).config)[0]).toMatchObject({ path: '/etc/yarak/x.jsonl' })
})

describe('interpolate', () => {
  it.each([
    ['plain', 'plain'],
    ['${env:HOST}', 'db'],
    ['${env:HOST}:${env:PORT:-5432}/x', 'db:5432/x'],
    ['${env:EMPTY}', ''],
    ['${env:EMPTY:-default}', 'default'],
    ['${env:NONE:-}', ''],
    ['${env:NONE:-a:-b}', 'a:-b'],
    ['${file:/secret}', 's3cr3t'],
    ['$${env:HOST}', '${env:HOST}'],
    ['a $${ b', 'a ${ b'],
    ['$HOST', '$HOST'],
    ['${env:REFERENCE}', '${env:HOST}'],
    ['${', '${'],
    ['${1}', '${1}'],
  ])('%s is %j', (scalar, result) => {
    expect(text(scalar)).toBe(result)
    expect(faults(scalar)).toEqual([])
  })

  it.each([
    ['a ${env:NONE}', '2 the environment variable NONE is not set; a default is ${env:NONE:-...}'],
    ['${env:}', '0 ${env:}: nothing is not the name of a variable'],
    ['${env:A-B}', '0 ${env:A-B}: A-B is not the name of a variable'],
    ['${env:toString}', '0 the environment variable toString is not set; a default is ${env:toString:-...}'],
    ['${file:}', '0 ${file:} names no file'],
    ['${file:/gone}', '0 cannot read ${file:/gone}: there is no such file'],
    ['x${env:HOST', '1 a reference `${...}` is not closed by `}`'],
    ['${HOST}', '0 ${HOST} is taken as it stands; a variable is ${env:HOST}'],
    ['${HOST:-x}', '0 ${HOST:-x} is taken as it stands; a variable is ${env:HOST}'],
  ])('%s: %s', (scalar, fault) => {
    expect(faults(scalar)).toEqual([fault])
  })

  it('says where a value comes from', () => {
    expect(interpolate('${env:HOST}', references)).toMatchObject({ origins: ['env HOST'], whole: true })
    expect(interpolate('${env:HOST}/${file:/secret}', references)).toMatchObject({
      origins: ['env HOST', 'file /secret'],
      whole: false,
    })
    expect(interpolate('${env:NONE:-1}', references).origins).toEqual(['default of env NONE'])
  })

  it('gives any value back as it is, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (value, around) => {
        const plain = around.replaceAll('$', '')
        const { text: result } = interpolate(`${plain}\${env:X}${plain}`, { env: { X: value }, file: () => '' })
        expect(result).toBe(`${plain}${value}${plain}`)
      }),
    )
  })

  it('leaves a text alone once every `${` in it is doubled', () => {
    fc.assert(
      fc.property(fc.string(), (any) => {
        const escaped = any.replaceAll('${', '$${')
        expect(interpolate(escaped, references).text).toBe(
          any.includes('$$') ? interpolate(escaped, references).text : any,
        )
      }),
    )
  })
})
