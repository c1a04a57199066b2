/** What senders send, as files in test/fixtures/http. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { toJson } from '../../src/plugin.ts'
import { recordSpans } from '../spans.ts'
import { serving, WAYS } from './_http-rig.ts'

interface Recorded {
  readonly about: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly encode?: 'gzip'
  /** The rules of the events in it. */
  readonly rules: readonly string[]
  /** A number that must keep its digits. */
  readonly digits?: string
  /** The trace that it belongs to. */
  readonly trace?: string
  /** Default 200. */
  readonly status?: number
  readonly message?: string
  /** The JSON of the answer. */
  readonly answer?: unknown
}

const folder = join(import.meta.dirname, '../fixtures/http')
const all = readdirSync(folder).map(
  (name) => [name, JSON.parse(readFileSync(join(folder, name), 'utf8')) as Recorded] as const,
)

const spans = recordSpans()

describe.each(WAYS)('by way of %s', (way) => {
  it.each(all)('%s', async (_name, { headers, body, encode, rules, digits, trace, status = 200, message, answer }) => {
    const rig = await serving(way, {})
    const got = await rig.ask({ headers, body: encode ? gzipSync(body) : body })
    await rig.stop()
    expect(got.status).toBe(status)
    expect(rig.told.map(({ event }) => event.rule)).toEqual(rules)
    if (message !== undefined) expect(JSON.parse(got.body)).toMatchObject({ message })
    if (answer !== undefined) expect(JSON.parse(got.body)).toEqual(answer)
    if (digits !== undefined) expect(toJson(rig.told[0]?.event.toJSON())).toContain(digits)
    const receptions = spans.all().filter(({ name }) => name === 'POST /')
    expect(receptions).toHaveLength(rules.length)
    if (trace !== undefined) for (const { traceId } of receptions) expect(traceId).toBe(trace)
  })
})
