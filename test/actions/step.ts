/** A step and a resolver's io for tests of actions: real HTTP, real resources, and a record of what was called. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { z } from 'zod'
import { parseEvent } from '../../src/event.ts'
import { createHttpClient } from '../../src/http.ts'
import type { Action, ClientSpan, Io, Resource, Result, Step } from '../../src/plugin.ts'
import { createSave } from '../../src/save.ts'
import { targetOf } from '../../src/target.ts'
import { createTracing } from '../../src/telemetry.ts'

export interface Recorded {
  readonly step: Step
  /** Client spans in order, with the attributes set on them. */
  readonly spans: (ClientSpan & { readonly after: Record<string, unknown>; error?: unknown })[]
  readonly lines: { readonly level: string; readonly message: string; readonly fields?: unknown }[]
}

export interface StepOptions extends Partial<Omit<Step, 'use' | 'call' | 'event' | 'target' | 'http' | 'log'>> {
  readonly fields?: Record<string, unknown>
  readonly event?: Record<string, unknown>
  /** Settings by resource type. */
  readonly resources?: Readonly<Record<string, unknown>>
}

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

/** A step on an event with the given fields. What it opens is closed when the test ends. */
export const aStep = async (options: StepOptions = {}): Promise<Recorded> => {
  const { fields, event: members, resources = {}, ...overrides } = options
  const dataDir = overrides.dataDir ?? (await mkdtemp(join(tmpdir(), 'yarak-step-')))
  if (!overrides.dataDir) onTestFinished(() => rm(dataDir, { recursive: true }))
  const spans: Recorded['spans'] = []
  const lines: Recorded['lines'] = []
  const call: Io['call'] = async (span, fn) => {
    const record: Recorded['spans'][number] = { ...span, after: {} }
    spans.push(record)
    try {
      return await fn({ headers: { traceparent: TRACEPARENT }, set: (name, value) => (record.after[name] = value) })
    } catch (error) {
      record.error = error
      throw error
    }
  }
  const at = (level: string) => (message: string, entry?: unknown) => void lines.push({ level, message, fields: entry })
  const client = createHttpClient()
  onTestFinished(() => client.close())
  const event = parseEvent(
    JSON.stringify({
      rule: 'Terminal shell in container',
      priority: 'Notice',
      time: '2026-01-31T12:00:00.123456789Z',
      output: 'a shell was spawned',
      output_fields: fields ?? {},
      ...members,
    }),
    { id: 'event-1', input: 'test' },
  )
  const io: Omit<Io, 'use'> = {
    id: 'test',
    log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
    http: client.bind(call),
    env: {},
    dataDir,
    state: { get: async () => undefined, set: async () => {} },
    call,
  }
  const response = overrides.response ?? { id: 'abc123', rule: 'React', step: 'act', traceparent: TRACEPARENT }
  const tracing = createTracing('test')
  const custody = {
    action: 'test',
    event,
    target: targetOf(event),
    subject: overrides.subject,
    mode: 'enforce' as const,
    dataDir,
    response,
    signal: new AbortController().signal,
    store: undefined,
    span: tracing.start('step'),
  }
  const step: Step = {
    ...io,
    event,
    target: targetOf(event),
    subject: undefined,
    mode: 'enforce',
    dryRun: false,
    attempt: 1,
    signal: new AbortController().signal,
    previous: {},
    response,
    judge: async () => {},
    save: createSave(custody, { tracing, store: () => undefined }),
    use: opener({ ...io, ...(overrides.env && { env: overrides.env }) }, resources),
    ...overrides,
  }
  return { step, spans, lines }
}

const opener = (io: Omit<Io, 'use'>, settings: Readonly<Record<string, unknown>>): Io['use'] => {
  const open = new Map<string, Promise<unknown>>()
  return <T, S extends z.ZodType>(resource: Resource<T, S>) => {
    const found = open.get(resource.type)
    if (found) return found as Promise<T>
    const opened = resource.open(resource.config.parse(settings[resource.type] ?? {}), io)
    open.set(resource.type, opened)
    onTestFinished(async () => opened.then((value) => resource.close?.(value)).catch(() => {}))
    return opened
  }
}

/** Runs an action as the engine does: resolve, parse, run. */
export const perform = async <S extends z.ZodType>(
  action: Action<S>,
  params: z.input<S>,
  { step }: Recorded,
): Promise<Result> => {
  const subject = step.subject ?? (await action.target?.(step.target, step))
  return action.run(action.config.parse(params), { ...step, subject })
}
