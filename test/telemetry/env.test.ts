import { describe, expect, it } from 'vitest'
import { type Env, exporterNames, listOf, numberOf, protocolOf, type Signal, textOf } from '../../src/telemetry/env.ts'

/** What is read, and what is told. */
const reading = <T>(read: (tell: (problem: string) => void) => T): { value: T; told: string[] } => {
  const told: string[] = []
  return { value: read((problem) => told.push(problem)), told }
}

describe('a variable', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['  ', undefined],
    [' a ', 'a'],
  ])('%j is %j', (text, expected) => {
    expect(textOf({ NAME: text }, 'NAME')).toBe(expected)
  })

  it.each<[string, string[], string[]]>([
    ['', [], []],
    ['a, b,a', ['a', 'b'], []],
    [',a,,', ['a'], []],
    ['a,x,y', ['a'], ['NAME: x, y is not known; there are a and b']],
  ])('of a list %j is %j', (text, value, told) => {
    expect(reading((tell) => listOf({ NAME: text }, 'NAME', ['a', 'b'], tell))).toEqual({ value, told })
  })

  it.each<[string | undefined, number, boolean]>([
    [undefined, 7, false],
    ['', 7, false],
    ['12', 12, false],
    ['1e3', 1_000, false],
    ['0', 7, true],
    ['-1', 7, true],
    ['Infinity', 7, true],
    ['2147483647', 2_147_483_647, false],
    ['2147483648', 7, true],
    ['12ms', 7, true],
  ])('of a number %j is %d', (text, value, wrong) => {
    expect(reading((tell) => numberOf({ NAME: text }, 'NAME', 7, tell))).toEqual({
      value,
      told: wrong ? ['NAME is no number from 1 to 2147483647: 7 is used'] : [],
    })
  })

  it.each<[Env, string]>([
    [{}, 'http/protobuf'],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'grpc'],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/json' }, 'http/json'],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: '' }, 'grpc'],
    [{ OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' }, 'http/protobuf'],
  ])('%j means the protocol %s', (env, value) => {
    expect(reading((tell) => protocolOf(env, 'LOGS', tell))).toEqual({ value, told: [] })
  })
})

describe('exporters', () => {
  const HERE = 'http://127.0.0.1:4318'

  it.each<[Signal, Env, string[]]>([
    ['TRACES', {}, []],
    ['TRACES', { OTEL_EXPORTER_OTLP_ENDPOINT: HERE }, ['otlp']],
    ['METRICS', { OTEL_EXPORTER_OTLP_ENDPOINT: HERE }, ['otlp']],
    ['LOGS', { OTEL_EXPORTER_OTLP_ENDPOINT: HERE }, []],
    ['LOGS', { OTEL_EXPORTER_OTLP_ENDPOINT: HERE, OTEL_LOGS_EXPORTER: 'otlp' }, ['otlp']],
    ['TRACES', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: HERE }, ['otlp']],
    ['METRICS', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: HERE }, []],
    ['TRACES', { OTEL_EXPORTER_OTLP_ENDPOINT: HERE, OTEL_TRACES_EXPORTER: '' }, ['otlp']],
    ['TRACES', { OTEL_EXPORTER_OTLP_ENDPOINT: HERE, OTEL_TRACES_EXPORTER: 'none' }, []],
    ['TRACES', { OTEL_TRACES_EXPORTER: 'otlp,console' }, ['otlp', 'console']],
    ['TRACES', { OTEL_TRACES_EXPORTER: 'console,none' }, []],
  ])('of %s by %j are %j', (signal, env, value) => {
    expect(reading((tell) => exporterNames(env, signal, tell))).toEqual({ value, told: [] })
  })

  it.each<[string, string, boolean]>([
    ['http/protobuf', 'https://collector:4318', true],
    ['http/protobuf', 'collector:4318', false],
    ['http/json', 'ftp://collector', false],
    ['http/json', 'unix:/run/otel.sock', false],
    ['grpc', 'http://collector:4317', true],
    ['grpc', 'collector:4317', true],
    ['grpc', 'unix:///run/otel.sock', true],
    ['grpc', 'ftp://collector', false],
    ['grpc', 'a b', false],
  ])('by %s send to %s: %s', (protocol, url, usable) => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: protocol }
    const { value, told } = reading((tell) => exporterNames(env, 'TRACES', tell))
    expect(value).toEqual(usable ? ['otlp'] : [])
    expect(told).toHaveLength(usable ? 0 : 1)
  })

  it.each<[string, boolean]>([
    ['a=b', true],
    ['a=b, c = d%20e ,', true],
    ['authorization=Basic abc==', true],
    ['a', false],
    ['=b', false],
    ['a=b\nc', false],
    ['a b=c', false],
  ])('with the headers %j: %s', (headers, usable) => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: HERE, OTEL_EXPORTER_OTLP_HEADERS: headers }
    const { value, told } = reading((tell) => exporterNames(env, 'METRICS', tell))
    expect(value).toEqual(usable ? ['otlp'] : [])
    expect(told).toEqual(
      usable ? [] : ['OTEL_EXPORTER_OTLP_HEADERS is no list like name=value,other=value: no metrics are exported'],
    )
  })

  it('never tell the value of what may be a secret', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'user:s3cret@host',
      OTEL_EXPORTER_OTLP_HEADERS: 's3cret',
      OTEL_EXPORTER_OTLP_CERTIFICATE: '/s3cret',
    }
    const { told } = reading((tell) => exporterNames(env, 'TRACES', tell))
    expect(told).toHaveLength(3)
    expect(told.join()).not.toContain('s3cret')
  })
})
