/** Small plugins and events for tests of the engine. */
import {
  createGateway,
  defineAction,
  defineInput,
  defineOutput,
  type GatewayOptions,
  type Notice,
  type Step,
  YarakError,
} from '../src/index.ts'
import { duration, z } from '../src/plugin.ts'

/** An alert of now, as a sender posts it. */
export const alert = (more: Record<string, unknown> = {}) => ({
  rule: 'Terminal shell in container',
  priority: 'Notice',
  time: new Date().toISOString().replace('Z', '456789Z'),
  output: 'a shell was spawned',
  output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1', 'proc.name': 'bash' },
  ...more,
})

/** An alert about another pod. */
export const about = (pod: string, more: Record<string, unknown> = {}) =>
  alert({ output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': pod, 'proc.name': 'bash' }, ...more })

export type Run = (params: { value: string }, step: Step) => unknown

/** An action that runs a function of the test. */
export const probe = (run: Run, more: Partial<Parameters<typeof defineAction>[0]> = {}) =>
  defineAction({
    type: 'test:probe',
    summary: 'Runs a function of the test.',
    config: z.strictObject({ value: z.string().default('none'), wait: duration().optional() }),
    changes: 'nothing',
    ...(more as object),
    async run(params, step) {
      const result = await run(params, step)
      return typeof result === 'object' && result !== null
        ? (result as { summary: string })
        : { summary: String(result) }
    },
  })

/** An output that remembers what it is told, or does what the test says. */
export const sink = (
  send: (notices: readonly Notice[], signal: AbortSignal) => unknown = () => {},
  more: { batch?: number; linger?: number; type?: string } = {},
) => {
  const told: Notice[] = []
  const output = defineOutput({
    type: more.type ?? 'sink',
    summary: 'Remembers.',
    config: z.strictObject({}),
    ...(more.batch && { batch: more.batch }),
    ...(more.linger && { linger: more.linger }),
    open: () => ({
      async send(notices, signal) {
        await send(notices, signal)
        told.push(...notices)
      },
    }),
  })
  return { output, told, use: output({}) }
}

/** An input that emits what the test gives it, and says when it was stopped. */
export const source = (items: readonly unknown[], replayable = false) =>
  defineInput({
    type: 'items',
    summary: 'Emits items.',
    config: z.strictObject({}),
    replayable,
    async run(_config, io) {
      for (const [i, item] of items.entries()) await io.emit(item, { position: String(i) })
    },
  })

/** A gateway with one rule on every event; no event joins the response to another. */
export const answering = (steps: NonNullable<GatewayOptions['rules']>[number]['steps'], options: GatewayOptions = {}) =>
  createGateway({ mode: 'enforce', ...options, rules: [{ name: 'all', steps, join: 0 }] })

export const refuse = (reason: string) => new YarakError('refused', 'no', { reason, permanent: true })

/** A promise and the function that resolves it. */
export const gate = <T = void>() => Promise.withResolvers<T>()
