/** What Falcosidekick itself sent for twelve events, recorded by test/peers/record.ts. */
import { readFileSync } from 'node:fs'
import { parseEvent } from '../../src/event.ts'
import type { Notice } from '../../src/plugin.ts'
import { aNotice } from '../../src/testing.ts'
import type { Sent } from '../peers/sink.ts'

/** Every recorded event has this one. */
export const UUID = '00000000-0000-4000-8000-000000000000'

export interface Exchange {
  /** Of the event: `plain`, `unicode`, ... */
  readonly name: string
  /** The event as Falcosidekick got it. */
  readonly notice: Notice
  readonly requests: readonly Sent[]
}

export interface Recording {
  /** Path of the section in Falcosidekick's configuration, e.g. `otlp.traces`. */
  readonly section: string
  /** The section; every server is at `http://sink/<name>`. */
  readonly config: Readonly<Record<string, unknown>>
  readonly exchanges: readonly Exchange[]
}

const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../fixtures/falcosidekick/${name}.json`, import.meta.url), 'utf8'))

interface File {
  readonly section: string
  readonly config: Readonly<Record<string, unknown>>
  readonly sent: Readonly<Record<string, readonly Sent[]>>
}

/**
 * What was sent for a section, or one of its variants, e.g. `slack-text`.
 * @example for (const { name, notice, requests } of falcosidekickSent('webhook').exchanges) ...
 */
export const falcosidekickSent = (name: string): Recording => {
  const { section, config, sent } = fixture(name) as File
  const events = fixture('events') as Readonly<Record<string, string>>
  const exchanges = Object.entries(events).map(([event, text]) => ({
    name: event,
    notice: aNotice({ event: parseEvent(text, { id: UUID, input: 'http' }) }),
    requests: sent[event] ?? [],
  }))
  return { section, config, exchanges }
}

/**
 * JSON with its numbers as they are written, so that no digit and no form of one is lost in a comparison.
 * @example exact('{"a":1.0}') // { a: { number: '1.0' } }
 */
export const exact = (json: string): unknown =>
  JSON.parse(json, ((_key: string, value: unknown, context: { source?: string }) =>
    typeof value === 'number' ? { number: context.source } : value) as (key: string, value: unknown) => unknown)
