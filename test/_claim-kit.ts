/** A response of several replicas in one process, with a network that the test can cut. */
import type { Claim } from '../src/agreement.ts'
import { type Answer, answerOnce, type Attempt, type Claimable, type ClaimEvent } from '../src/claim.ts'
import { type Begun, type Past } from '../src/past.ts'
import { type Report, type StepReport, YarakError } from '../src/plugin.ts'
import { pause } from '../src/backoff.ts'
import { fakeClaims } from './fake-claims.ts'

export const LASTS = 15_000

export const stepReport = (id: string, more: Partial<StepReport> = {}): StepReport => ({
  ...{ id, action: 'test:step', outcome: 'succeeded', summary: `did ${id}`, attempts: 1, duration: 1 },
  ...more,
})

export const reportOf = (steps: readonly StepReport[], more: Partial<Report> = {}): Report => ({
  ...{ id: 'r1', event: 'e1', rule: 'all', mode: 'enforce', outcome: 'succeeded', steps },
  ...{ startedAt: '2026-11-23T08:00:00Z', duration: 1 },
  ...more,
})

/** What a process knows by itself. */
export const localPast = (): Past & { begun: Past['begun']; readonly notes: string[] } => {
  const begun = new Map<string, Begun>()
  const ended = new Map<string, StepReport>()
  const notes: string[] = []
  return {
    notes,
    report: () => undefined,
    begun: (step) => begun.get(step),
    ended: (step) => ended.get(step),
    async begin(step, what) {
      notes.push(`begin ${step}`)
      begun.set(step, what)
    },
    end(step) {
      notes.push(`end ${step.id}`)
      if (step.outcome !== 'interrupted') ended.set(step.id, step)
    },
    close: () => void notes.push('close'),
  }
}

interface Net {
  state: 'up' | 'down' | 'dead'
  through<T>(call: () => Promise<T>): Promise<T>
}

export const setup = () => {
  const claims = fakeClaims()
  const replica = (who: string, more: Partial<Claimable> = {}) => {
    const interrupt = new AbortController()
    const notes: ClaimEvent[] = []
    const about: Claimable = {
      ...{ id: 'r1', traceparent: `00-trace-of-${who}`, past: localPast(), patience: 600_000 },
      ...{
        interrupt: interrupt.signal,
        clean: (report: Report) => report,
        note: (what: ClaimEvent) => notes.push(what),
      },
      ...more,
    }
    /** How it reaches the others: not at all, or it is dead and nothing of it ever goes on; or as the test says. */
    const net: Net = {
      state: 'up',
      async through(call) {
        if (net.state === 'dead') return never()
        if (net.state === 'down') throw new YarakError('unavailable', 'no answer')
        return call()
      },
    }
    const own = {
      ...claims,
      read: (id: string) => net.through(() => claims.read(id)),
      create: (id: string, claim: Claim) => net.through(() => claims.create(id, claim)),
      replace: (id: string, claim: Claim, version: string) => net.through(() => claims.replace(id, claim, version)),
    }
    const answer = (run: (attempt: Attempt) => Promise<Report>): Promise<Answer> =>
      answerOnce(about, { claims: own, who, lasts: LASTS, now: () => performance.now() }, run)
    return { about, notes, interrupt, answer, net }
  }
  const facts = () => JSON.parse(claims.all.get('r1')?.facts ?? 'null') as Record<string, unknown>
  return { claims, replica, facts }
}

/** What could not be claimed is tried again, every second. */
const claimed = async (begin: () => Promise<void>, retries: number): Promise<void> => {
  for (let left = retries; ; left--) {
    try {
      return await begin()
    } catch (error) {
      if ((error as YarakError).reason !== 'no-claim' || left === 0) throw error
      await pause(1_000)
    }
  }
}

/** A chain of steps that change something, as the engine runs it. */
export const chain =
  (steps: Readonly<Record<string, (signal: AbortSignal, isAgain: boolean) => unknown>>, retries = 0) =>
  async ({ past, signal }: Attempt): Promise<Report> => {
    const reports: StepReport[] = []
    for (const [id, act] of Object.entries(steps)) {
      const known = past.ended(id)
      const isAgain = past.begun(id) !== undefined
      const report = known ?? (await one(id, act, past, signal, isAgain, retries))
      past.end(report)
      reports.push(report)
      if (report.outcome !== 'succeeded') return reportOf(reports, { outcome: report.outcome })
    }
    return reportOf(reports)
  }

const one = async (
  id: string,
  act: (signal: AbortSignal, isAgain: boolean) => unknown,
  past: Past,
  signal: AbortSignal,
  isAgain: boolean,
  retries: number,
): Promise<StepReport> => {
  try {
    await claimed(() => past.begin(id, { uid: `uid-${id}` }), retries)
    signal.throwIfAborted()
    const cut = new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason as Error)))
    await Promise.race([act(signal, isAgain), cut])
    return stepReport(id)
  } catch (thrown) {
    const { code, reason, message } = thrown as YarakError
    const outcome = code === 'interrupted' || code === 'refused' ? code : 'failed'
    return stepReport(id, { outcome, summary: message, error: { code, reason, message } })
  }
}

/** What a crash leaves: nothing of it runs any more. */
export const never = () => new Promise<never>(() => {})
