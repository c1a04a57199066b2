import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pointLine, PRECISIONS } from '../../outputs/_influx-line.ts'
import { printable } from '../../outputs/_text.ts'
import { influxdb } from '../../outputs/influxdb.ts'
import type { Notice } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { compared, sent } from './_hosted.ts'

const NEW = { hostPort: 'http://influxdb:8086', organization: 'org', bucket: 'b', token: 'secret-token' }

interface Point {
  readonly measurement: string
  readonly tags: Readonly<Record<string, string>>
  readonly fields: Readonly<Record<string, string>>
  readonly time: string
}

/**
 * Reads a line as InfluxDB does ("Line protocol", Special characters): in measurement and tags a backslash takes the meaning of
 * the comma, equals sign or blank behind it; in a text field that of a quote or a backslash; else it is a character.
 */
const read = (line: string): Point => {
  const [, key = '', rest = ''] = /^((?:\\[ ,=]|[^ ])+) (.*)$/s.exec(line) ?? []
  const parts = key.match(/(?:\\[ ,=]|[^,])+/g) ?? []
  const tags = parts.slice(1).map((tag) => {
    const [, name = '', value = ''] = /^((?:\\[ ,=]|[^=])+)=((?:\\[ ,=]|[^=])+)$/s.exec(tag) ?? [undefined, '?', tag]
    return [plain(name), plain(value)] as const
  })
  const fields = [...rest.matchAll(/([a-z]+)=("(?:\\["\\]|[^"])*"|[\d.]+)(?:,| (\d+)$)/gs)]
  expect(fields.map(([all]) => all).join(''), `the end of ${line}`).toBe(rest)
  return {
    measurement: parts[0] ?? '',
    tags: Object.fromEntries(tags),
    fields: Object.fromEntries(fields.map(([, name = '', value = '']) => [name, unquoted(value)])),
    time: fields.at(-1)?.[3] ?? '',
  }
}

const plain = (text: string) => text.replaceAll(/\\([ ,=])/g, '$1')
const unquoted = (text: string) => (text.startsWith('"') ? text.slice(1, -1).replaceAll(/\\(["\\])/g, '$1') : text)

const pointOf = async (notice: Notice, config: object = {}): Promise<Point> =>
  read((await sent(influxdb, { ...NEW, ...config }, [notice])).requests[0]?.body ?? '')

/** As it was recorded: nothing is escaped, and so nothing of it can be read but what holds none of `,="`. */
const readTheirs = (line: string) => {
  const [, key = '', value = ''] = /^(.*?) value="(.*)"$/s.exec(line) ?? []
  const [measurement, ...tags] = key.split(',')
  return { measurement, tags: Object.fromEntries(tags.map((tag) => tag.split('='))) as object, value }
}

describe('influxdb', () => {
  it.each(compared('influxdb').filter(({ body }) => !body.includes('a,b=c')))(
    'writes the point that Falcosidekick writes, $name',
    async ({ notice, headers, body }) => {
      const { measurement, tags, fields, time } = await pointOf(notice)
      const theirs = readTheirs(body)
      const { requests } = await sent(influxdb, NEW, [notice])
      expect(requests[0]?.headers).toMatchObject({ accept: headers.accept, authorization: headers.authorization })
      expect(measurement).toBe(theirs.measurement)
      // different: no tag is empty, which InfluxDB refuses
      expect(tags).toEqual(Object.fromEntries(Object.entries(theirs.tags).filter(([, value]) => value !== '')))
      expect(fields).toEqual({ value: printable(theirs.value) })
      // different: the event's time
      expect(BigInt(time) / 1_000_000n).toBe(BigInt(Date.parse(notice.event.time)))
    },
  )

  it.each([
    ['influxdb', NEW],
    ['influxdb-v1', { hostPort: 'http://influxdb:8086/', user: 'u', password: 'p' }],
  ])('writes where Falcosidekick writes, %s', async (name, config) => {
    const { requests } = await sent(influxdb, config)
    const [{ path } = { path: '' }] = compared(name)
    // different: name and password are in a header
    expect(requests[0]?.url).toBe(`http://influxdb:8086${path.replace('&u=u&p=p', '')}`)
    expect(requests[0]?.headers.authorization).toBe(name === 'influxdb' ? 'Token secret-token' : 'Basic dTpw')
  })

  it('sends no credentials that it has not, the token rather than a password, and escapes the address', async () => {
    const open = await sent(influxdb, { hostPort: 'http://influxdb:8086', database: 'a&b=c' })
    expect(open.requests[0]?.url).toBe('http://influxdb:8086/write?db=a%26b%3Dc&precision=ns')
    expect(open.requests[0]?.headers).not.toHaveProperty('authorization')
    expect(open.io.spans[0]?.name).toBe('POST /write')
    const both = await sent(influxdb, { ...NEW, user: 'u', password: 'p' })
    expect(both.requests[0]?.headers.authorization).toBe('Token secret-token')
    expect(both.io.spans[0]?.name).toBe('POST /api/v2/write')
  })

  it.each([
    ['ns', '1769860800123456789'],
    ['us', '1769860800123456'],
    ['u', '1769860800123456'],
    ['ms', '1769860800123'],
    ['s', '1769860800'],
    ['m', '29497680'],
    ['h', '491628'],
  ])('writes times in %s', async (precision, time) => {
    expect((await pointOf(aNotice(), { precision })).time).toBe(time)
    expect((await sent(influxdb, { ...NEW, precision })).requests[0]?.url).toContain(`precision=${precision}`)
  })

  it.each([
    ['2026-01-31T14:00:00.1+02:00', '1769860800100000000'],
    ['2026-01-31T12:00:00Z', '1769860800000000000'],
    ['2026-01-31T12:00:00.123456789123Z', '1769860800123456789'],
  ])('reads the time %s', async (time, written) => {
    expect((await pointOf(aNotice({ event: anEvent({ time }) }))).time).toBe(written)
  })

  it('makes tags of texts only, and lets no field take the place of what it says itself', async () => {
    const output_fields = {
      'proc.pid': 1,
      ok: true,
      no: null,
      list: ['a'],
      rule: 'x',
      time: 't',
      _field: 'f',
      'fd.name': '/x',
    }
    const { tags } = await pointOf(aNotice({ event: anEvent({ output_fields }) }))
    expect(tags).toEqual({
      rule: 'Terminal_shell_in_container',
      priority: 'Notice',
      source: 'syscall',
      hostname: 'node-1',
      tags: 'container_shell_mitre_execution',
      'fd.name': '/x',
      field_time: 't',
      field__field: 'f',
    })
  })

  it('writes the report of a response as a point of responses', async () => {
    const point = await pointOf(aNotice({ report: aReport({ outcome: 'failed', duration: 42.5 }) }))
    expect(point).toMatchObject({
      measurement: 'responses',
      tags: {
        rule: 'Shell_in_a_container',
        outcome: 'failed',
        mode: 'enforce',
        event_rule: 'Terminal_shell_in_container',
        target: 'pod/default/web-1',
      },
      fields: { duration: '42.5', response: '7d0f4a2c9b1e', trace: '4bf92f3577b34da6a3ce929d0e0e4736' },
      time: '1769860800200000000',
    })
    expect(point.fields.value).toContain('[failed] Shell in a container; kubernetes:label: succeeded')
  })

  it('counts the alerts of a digest', async () => {
    const digest = { count: 7, first: '2026-01-31T11:00:00Z', last: '2026-01-31T12:00:00Z' }
    expect((await pointOf(aNotice({ digest }))).fields.alerts).toBe('7')
  })

  const hostile = fc.string({
    unit: fc.constantFrom(',', '=', ' ', '"', '\\', '\n', '\r', '\t', '#', 'a', '規', '\ud800', '\u2028'),
    maxLength: 30,
  })

  it('lets no value add a tag, a field or a point, or end its own', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, fc.constantFrom(...PRECISIONS), (name, value, text, precision) => {
        const tags = [
          ['first', value],
          [name, 'x'],
          ['last', value],
        ] as const
        const line = pointLine(
          { measurement: 'events', tags, fields: { value: text }, time: '2026-01-31T12:00:00Z' },
          precision,
        )
        expect(line).not.toMatch(/[\n\r]/)
        expect(line.isWellFormed()).toBe(true)
        const point = read(line)
        expect(Object.keys(point.tags).length).toBe(
          (value ? 2 : 0) + (name && name !== 'first' && name !== 'last' ? 1 : 0),
        )
        expect(point.fields).toEqual({ value: printable(text.toWellFormed()) })
        const kept = value.toWellFormed().replaceAll(/\s/g, '_').replace(/\\+$/, '_')
        if (value) expect(point.tags.last).toBe(kept)
      }),
      { numRuns: 300 },
    )
  })

  // "Line protocol" of InfluxDB: 64 KB of a text field; 65,535 bytes of measurement and tags
  it('stays within the limits of InfluxDB', async () => {
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}`, '規'.repeat(500)]))
    const event = anEvent({ output: '"\u0000規'.repeat(100_000), output_fields: { ...many, big: 'x'.repeat(1e6) } })
    const { requests } = await sent(influxdb, NEW, [aNotice({ event })])
    const line = requests[0]?.body ?? ''
    const start = line.indexOf(' ')
    expect(Buffer.byteLength(line.slice(0, start))).toBeLessThan(65_535)
    expect(Buffer.byteLength(line.slice(start))).toBeLessThan(65_536)
    expect(read(line).tags).toMatchObject({ rule: 'Terminal_shell_in_container', hostname: 'node-1' })
  })

  it('writes many points by one request, and tries each alone when one is refused', async () => {
    const notices = ['a', 'b', 'c'].map((rule) => aNotice({ event: anEvent({ rule }) }))
    const taken = await sent(influxdb, NEW, notices, { status: 204 })
    expect(taken.requests.map(({ body }) => body.split('\n').map((line) => read(line).tags.rule))).toEqual([
      ['a', 'b', 'c'],
    ])
    const { error } = await sent(influxdb, NEW, notices, ({ body }) => ({
      status: body.includes('rule=b,') ? 400 : 204,
    }))
    expect(error).toMatchObject({ failed: [{ index: 1, permanent: true }] })
  })

  it.each([
    [{}, /hostPort is required/],
    [{ ...NEW, precision: 'd' }, /precision must be one of ns, us, u, ms, s, m, h/],
    [{ hostPort: 'http://u:p@influxdb:8086' }, /hostPort: must have no credentials/],
  ])('refuses %j', (config, message) => {
    expect(() => influxdb(config as never)).toThrow(message)
  })
})
