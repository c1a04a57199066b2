/** Things and questions for tests of the guard. */
import { createCounters } from '../../src/counters.ts'
import { createGuard, createGuardMemory, type GuardSettings, guardSettings, type Question } from '../../src/guard.ts'
import type { LogFields, State, Subject } from '../../src/plugin.ts'
import { memoryState } from '../../src/state.ts'

/** A pod of a Deployment, as a resolver gives it. */
export const pod = (more: Partial<Subject> = {}): Subject => {
  const { namespace = 'shop', name = 'web-1' } = more
  return {
    ...{ kind: 'Pod', key: `pod/${namespace}/${name}`, namespace, name, uid: `uid-${name}` },
    labels: { app: 'web' },
    owners: [
      { kind: 'ReplicaSet', name: 'web-5d' },
      { kind: 'Deployment', name: 'web' },
    ],
    node: 'node-1',
    ...more,
  }
}

export const node = (more: Partial<Subject> = {}): Subject => ({
  ...{ kind: 'Node', key: 'node/node-1', name: 'node-1', uid: 'n1' },
  ...{ labels: { 'kubernetes.io/os': 'linux' }, owners: [] },
  ...more,
})

export const namespaceNamed = (name: string): Subject => ({
  ...{ kind: 'Namespace', key: `namespace/${name}`, name },
  ...{ labels: {}, owners: [] },
})

/** Of an event of this minute, whose sender is known. */
export const ASKED: Question = {
  action: 'test:destroy',
  rule: 'A rule',
  change: 'destructive',
  mode: 'enforce',
  subject: pod(),
  needsSubject: true,
  authenticated: 'bearer',
  age: 1_000,
}

export const settingsOf = (settings: object = {}): GuardSettings => guardSettings.parse(settings)

/** A guard that counts, and what it has said and counted. */
export const counting = (settings: object = {}, state: State | undefined = memoryState().of('guard')) => {
  const counters = createCounters()
  const lines: { level: string; message: string; fields: LogFields | undefined }[] = []
  const line = (level: string) => (message: string, fields?: LogFields) => void lines.push({ level, message, fields })
  const log = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
  const memory = createGuardMemory(state)
  const guard = createGuard(settingsOf(settings), { memory, counters, log })
  return {
    ...{ counters, lines, memory, state },
    /** @returns the reason of the refusal */
    ask: async (more: Partial<Question> = {}): Promise<string | undefined> =>
      (await guard.judge({ ...ASKED, ...more }))?.reason,
    guard,
  }
}

/** A budget and no breaker that matters. */
export const budgetOf = (budget: object, more: object = {}) => ({
  budgets: [{ limit: 2, window: '1m', scope: 'cluster', ...budget }],
  breaker: { limit: 100_000 },
  ...more,
})
