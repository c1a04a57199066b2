/** Logstash: the `tcp` input and the `json_lines` codec, elastic.co/docs/reference/logstash/plugins. */
import { describe, expect, it } from 'vitest'
import { createLogstash, logstash } from '../../outputs/logstash.ts'
import type { Notice } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, oddEvents, testIo } from '../../src/testing.ts'
import { falcosidekickSent } from './_falcosidekick.ts'
import { NEVER, noticesOf } from './_logs.ts'
import { expectSameEvent } from './_same.ts'

/** What goes over the connection. */
const written = async (
  notices: readonly Notice[],
  config: object = {},
): Promise<{ texts: string[]; io: ReturnType<typeof testIo> }> => {
  const texts: string[] = []
  const output = createLogstash(() => ({ write: async (some) => void texts.push(...some), close: async () => {} }))
  const io = testIo()
  const sender = await output.open(output.config.parse({ address: 'logstash', ...config }), io)
  await sender.send(notices, NEVER)
  return { texts, io }
}

const line = async (notice: Notice, config: object = {}): Promise<string> =>
  (await written([notice], config)).texts.join('')

describe('logstash', () => {
  it.each(falcosidekickSent('logstash').exchanges)(
    'writes what Falcosidekick writes: $name',
    async ({ notice, requests }) => {
      const ours = await line(notice, { tags: ['falco', 'siem'] })
      const [theirs] = requests
      expect(ours.endsWith('}\r\n')).toBe(true)
      expect(theirs?.body.endsWith('}\r\n')).toBe(true)
      expectSameEvent(ours, theirs?.body ?? '')
    },
  )

  it('writes indexes in names as Logstash can read them, in maps too', async () => {
    const output_fields = { 'proc.aname[2]': 'sh', 'a[0][1].b': { 'c[3]': { 'd[x]': [{ 'e[1]': 1 }] } } }
    expect(JSON.parse(await line(aNotice({ event: anEvent({ output_fields }) })))).toMatchObject({
      output_fields: { 'proc.aname.2': 'sh', 'a.0.1.b': { 'c.3': { 'd[x]': [{ 'e[1]': 1 }] } } },
    })
  })

  it('puts its tags behind the event’s, which stay in their order', async () => {
    const event = anEvent({ tags: ['b', 'a'] })
    expect(JSON.parse(await line(aNotice({ event }), { tags: ['0'] }))).toMatchObject({ tags: ['b', 'a', '0'] })
    const none = anEvent({ tags: null })
    expect(JSON.parse(await line(aNotice({ event: none })))).not.toHaveProperty('tags')
  })

  it('writes one line for each event, whatever is in it', async () => {
    const { texts } = await written(oddEvents().map(({ event }) => aNotice({ event })))
    expect(texts).toHaveLength(oddEvents().length)
    for (const text of texts) {
      expect(text.slice(0, -2)).not.toMatch(/[\r\n]/)
      expect(() => void JSON.parse(text)).not.toThrow()
    }
  })

  it('tells of a report, and of where it went in one span', async () => {
    const { texts, io } = await written([aNotice({ report: aReport() }), ...noticesOf({})], { port: 5_045 })
    expect(JSON.parse(texts[0] ?? '')).toMatchObject({ response: { outcome: 'succeeded' } })
    expect(io.spans).toEqual([
      { name: 'write logstash', kind: 'client', attributes: { 'server.address': 'logstash', 'server.port': 5_045 } },
    ])
  })

  it('shows what it writes', () => {
    const config = logstash.config.parse({ address: 'logstash', tags: ['x'] })
    expect(String(logstash.preview?.(aNotice(), config))).toMatch(/^\{"uuid":.*"x"\].*\}\r\n$/)
  })

  it.each([
    [{}, /address is required/],
    [{ address: 'logstash', port: 0 }, /port/],
    [{ address: 'logstash', tls: { certFile: 'a.pem' } }, /certFile and keyFile go together/],
    [{ address: 'logstash', checkCert: false }, /checkCert is not a known setting/],
  ])('refuses %j', (config, message) => {
    expect(() => logstash(config as never)).toThrow(message)
  })
})
