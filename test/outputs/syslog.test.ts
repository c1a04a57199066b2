/** RFC 3164 as Go's `log/syslog` writes it, RFC 5424, RFC 6587; ArcSight's "Implementing Common Event Format". */
import { hostname } from 'node:os'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cefText, frameOf } from '../../outputs/_syslog.ts'
import { createSyslog, syslog } from '../../outputs/syslog.ts'
import { type Notice, PRIORITIES } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, type EventMembers, oddEvents, testIo } from '../../src/testing.ts'
import { falcosidekickSent } from './_falcosidekick.ts'
import { NEVER } from './_logs.ts'
import { expectSameEvent } from './_same.ts'

/** The message that a notice becomes. */
const sent = async (notice: Notice, config: object = {}): Promise<string> => {
  const texts: string[] = []
  const output = createSyslog(() => ({ write: async (some) => void texts.push(...some), close: async () => {} }))
  const sender = await output.open(output.config.parse({ host: 'rsyslog', ...config }), testIo())
  await sender.send([notice], NEVER)
  expect(texts).toHaveLength(1)
  return texts.join('')
}

const FRAME = /^<(?<priority>\d)>(?<time>\S+) (?<host>\S+) Falco\[\d+\]: (?<text>.*)\n$/s

const partsOf = (text: string) => FRAME.exec(text)?.groups ?? {}

const of = (members: EventMembers) => aNotice({ event: anEvent(members) })

describe('syslog, as Falcosidekick sends it', () => {
  it.each(falcosidekickSent('syslog').exchanges)('JSON: $name', async ({ notice, requests }) => {
    const ours = partsOf(await sent(notice))
    const theirs = partsOf(requests[0]?.body ?? '')
    expect(ours.priority).toBe(theirs.priority)
    expectSameEvent(ours.text ?? '', theirs.text ?? '')
    // differences: time and host are those of the event
    expect(Date.parse(ours.time ?? '')).toBe(Date.parse(notice.event.time))
    expect(ours.host).toBe((notice.event.hostname ?? hostname()).replaceAll(/[^\w.-]/g, '_'))
  })

  /** What the fixed order of the fields, the fraction of `start` and the escapes make of a text of Falcosidekick's. */
  const same = (text: string): string[] =>
    text
      .replace(/start=(\S+?)(\.\d+)?(Z|[+-]\d\d:\d\d) /, 'start=$1$3 ')
      .replaceAll(/\\n|\n/g, ' ')
      .replaceAll(/\\([\\|=])/g, '$1')
      .split(/ (?=[\w.]+[:=])/)
      .flatMap((part) => part.replace(/^outputfields=/, '').split(' '))
      .sort()

  it.each(falcosidekickSent('syslog-cef').exchanges.filter(({ name }) => !/null|nested|4,096|offset/.test(name)))(
    'CEF: $name',
    async ({ notice, requests }) => {
      const theirs = partsOf(requests[0]?.body ?? '').text ?? ''
      const ours = partsOf(await sent(notice, { format: 'cef' })).text ?? ''
      expect(same(ours)).toEqual(same(theirs))
      expect(ours.slice(0, 60)).toBe(theirs.slice(0, 60))
    },
  )
})

describe('the frame', () => {
  const me = { host: 'gateway', pid: 7 }

  it('has the severity of the priority, time and host of the event', () => {
    const severities = PRIORITIES.map((priority) => frameOf(of({ priority }), 3164, me).slice(0, 3))
    expect(severities).toEqual(['<0>', '<1>', '<2>', '<3>', '<4>', '<5>', '<6>', '<7>'])
    expect(frameOf(aNotice(), 3164, me)).toBe('<5>2026-01-31T12:00:00.123456Z node-1 Falco[7]: ')
    expect(frameOf(of({ hostname: null, time: '2026-01-31T12:00:00+02:00' }), 3164, me)).toBe(
      '<5>2026-01-31T12:00:00+02:00 gateway Falco[7]: ',
    )
    expect(frameOf(aNotice({ report: aReport() }), 5424, me)).toBe('<5>1 2026-01-31T12:00:00.200Z node-1 Falco 7 - - ')
  })

  it('lets no host name add a word or a line', () => {
    expect(frameOf(of({ hostname: '/a b\n<0>x ü' }), 5424, me)).toMatch(/Z a_b__0_x Falco 7 - - $/)
    expect(frameOf(of({ hostname: '規' }), 5424, me)).toMatch(/Z - Falco 7/)
    expect(frameOf(of({ hostname: 'h'.repeat(999) }), 3164, me)).toContain(` ${'h'.repeat(255)} Falco`)
  })

  it('of RFC 5424 has its length before it by TCP, and is a datagram by UDP', async () => {
    const counted = await sent(of({ output: 'ü' }), { rfc: 5424, protocol: 'tcp' })
    const [, length, text = ''] = /^(\d+) (.*)$/s.exec(counted) ?? []
    expect(Number(length)).toBe(Buffer.byteLength(text))
    expect(text).toMatch(/^<5>1 \S+ node-1 Falco \d+ - - \{.*\}$/)
    expect(await sent(aNotice(), { rfc: 5424 })).toMatch(/^<5>1 .*\}$/)
  })
})

describe('CEF', () => {
  it('escapes what ends a part, a name or a line', () => {
    const evil = 'x|y=z\\\n<0>CEF:0|\r\ttab\u0000\u2028'
    const text = cefText(
      of({ rule: evil, output: evil, output_fields: { 'a=b': evil }, tags: [evil], hostname: evil }),
      65_507,
    )
    expect(text).not.toMatch(/[\n\r\t\u0000\u2028]/)
    const [head = ''] = text.split(/(?<!\\)\|(?=uuid=)/)
    expect(head).toBe('CEF:0|Falcosecurity|Falco|1.0|Falco Event|x\\|y=z\\\\ <0>CEF:0\\|  tab\\u0000 |4')
    expect(text).toContain('msg=x|y\\=z\\\\\\n<0>CEF:0|\\r\\ttab\\u0000\\u2028 source=')
    expect(text).toContain('outputfields=a\\=b:x|y\\=z')
  })

  it('has all fields in order but those that are null, numbers with every digit', () => {
    const output_fields = { b: null, 'evt.time': 1_769_860_800_123_456_789n, a: true, c: ['x', { y: 1 }] }
    expect(cefText(of({ output_fields, hostname: null, tags: null }), 65_507)).toBe(
      'CEF:0|Falcosecurity|Falco|1.0|Falco Event|Terminal shell in container|4|' +
        `uuid=${anEvent().id} start=2026-01-31T12:00:00.123456789Z msg=${anEvent().output.replaceAll('=', '\\=')} ` +
        'source=syscall outputfields=a:true c:["x",{"y":1}] evt.time:1769860800123456789',
    )
  })

  it('tells of a report what was done, and of a digest how often', () => {
    const digest = { count: 12, first: '', last: '' }
    const report = aReport({ rule: 'Stop | it', outcome: 'failed' })
    const text = cefText(aNotice({ report, digest, traceUrl: 'https://jaeger.example/?a=b' }), 65_507)
    expect(text).toMatch(/^CEF:0\|Falcosecurity\|Falco\|1\.0\|Falco Response\|Stop \\\| it\|4\|uuid=/)
    expect(text).toContain(
      'tags=container,shell,mitre_execution cnt=12 response=7d0f4a2c9b1e outcome=failed mode=enforce ' +
        'target=pod/default/web-1 duration=42 ms trace=https://jaeger.example/?a\\=b',
    )
  })

  it('reads back as it was meant, whatever the event says', () => {
    const text = fc.string({
      unit: fc.constantFrom('|', '=', '\\', '\n', '\r', ' ', 'msg=', 'ü', '\u{1f989}'),
      minLength: 1,
    })
    fc.assert(
      fc.property(text, text, (rule, output) => {
        const cef = cefText(of({ rule, output: `<${output}>` }), 65_507)
        const parts = cef.split(/(?<=(?<!\\)(?:\\\\)*)\|/)
        expect(parts[6]).toBe('4')
        expect(parts[5]).toBe(rule.replaceAll(/\s/g, ' ').replaceAll(/[\\|]/g, '\\$&'))
        const extension = parts.slice(7).join('|')
        const names = [...extension.matchAll(/(?<=^| )(\w+)=/g)].map(([, name]) => name)
        expect(names).toEqual(['uuid', 'start', 'msg', 'source', 'hostname', 'outputfields', 'tags'])
      }),
    )
  })
})

describe('the size', () => {
  it.each([
    ['json', {}, 65_507],
    ['cef', {}, 65_507],
    ['json', { maxSize: '8KiB', protocol: 'tcp' }, 8_192],
    ['cef', { maxSize: '8KiB', protocol: 'tcp', rfc: 5424 }, 8_192 + 5],
  ])('of %s with %j is at most %d bytes', async (format, config, most) => {
    for (const { event } of oddEvents()) {
      const text = await sent(aNotice({ event, report: aReport({ rule: event.rule }) }), { ...config, format })
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(most)
    }
  })

  it('by TCP has no limit unless one is set; JSON that is cut stays JSON', async () => {
    const notice = of({ output: 'x'.repeat(200_000) })
    expect((await sent(notice, { protocol: 'tcp' })).length).toBeGreaterThan(200_000)
    const { text = '' } = partsOf(await sent(notice))
    expect(JSON.parse(text)).toMatchObject({ rule: 'Terminal shell in container', truncated: true })
  })
})

describe('the settings of syslog', () => {
  it('are udp, port 514, JSON and RFC 3164', () => {
    expect(syslog.config.parse({ host: 'h' })).toEqual({
      host: 'h',
      port: 514,
      protocol: 'udp',
      format: 'json',
      rfc: 3164,
    })
    expect(syslog.preview?.(aNotice(), syslog.config.parse({ host: 'h' }))).toMatch(FRAME)
  })

  it.each([
    [{}, /host is required/],
    [{ host: 'h', protocol: '' }, /protocol must be one of udp, tcp/],
    [{ host: 'h', tls: {} }, /tls needs protocol: tcp/],
    [{ host: 'h', rfc: 5425 }, /rfc/],
    [{ host: 'h', maxSize: 100 }, /maxSize: must be at least 1KiB/],
  ])('refuse %j', (config, message) => {
    expect(() => syslog(config as never)).toThrow(message)
  })
})
