/** Several processes that share the work: each response is answered by one of them, and what only one may do is led. */
import type { Agreement, Claims } from './agreement.ts'
import { pause } from './backoff.ts'
import { type Answer, answerOnce, type Attempt, type Claimable } from './claim.ts'
import { messageOf, YarakError } from './errors.ts'
import type { ReadyRule } from './generation.ts'
import { createPlaces, type Places } from './limit.ts'
import { inputOf, type InputInput } from './options.ts'
import type { Input, Io, Log, Report, Resource } from './plugin.ts'

/** Answers, here or by another process. */
export type AnswerOnce = (about: Claimable, run: (attempt: Attempt) => Promise<Report>) => Promise<Answer>

/** There is nobody else. */
export const answerHere: AnswerOnce = async ({ past, interrupt }, run) => {
  const known = past.report()
  const report = known ?? (await run({ past, signal: interrupt }))
  past.close(report)
  return { report, elsewhere: false, told: false, settle: async () => {} }
}

/** What it does must be agreed on. */
export const isShared = ({ effective, chain }: Pick<ReadyRule, 'effective' | 'chain'>): boolean =>
  effective === 'enforce' && chain.steps.some(({ use }) => use.plugin.changes !== 'nothing')

export interface SharingHost {
  /** Where it is agreed on. */
  readonly resource: Resource
  readonly log: Log
  io(id: string): Io
}

export interface Sharing {
  readonly answerOnce: AnswerOnce
  readonly lead: Agreement['lead']
  /** From now on what is settled is removed, where this process is the one that does it, until the signal fires. */
  start(signal: AbortSignal): void
  /** Resolves when the signal has fired and nothing is in work. */
  ended(): Promise<void>
  /** Resolves when what was cut short is let go, for others to take it up at once; soon, in any case. */
  letGo(): Promise<void>
}

/** Milliseconds: for how long a claim is held without a sign, and how often it is looked for those that are over. */
const LASTS = 15_000
const SWEEP = 60_000

/** Reads, and apart from them writes, at the same time: a backlog of thousands is asked about, and renewals cannot wait. */
const AT_A_TIME = 64

/** Milliseconds to let go of what others may go on with. */
const LET_GO = 2_000

/** Milliseconds that claims are kept without a change: those that are settled, and those that nobody goes on with. */
const KEEP = { settled: 3_600_000, open: 24 * 3_600_000 } as const

export const createSharing = ({ resource, log, io }: SharingHost): Sharing => {
  let opened: Promise<Agreement> | undefined
  const own = io(resource.type)

  const open = async (): Promise<Agreement> => {
    const agreement = resource.agreement?.(await own.use(resource), own)
    if (agreement) return agreement
    throw new YarakError('config', `nothing can be agreed on in ${resource.type}`, { permanent: true })
  }
  const agreement = (): Promise<Agreement> => {
    opened ??= open()
    opened.catch(() => (opened = undefined))
    return opened
  }
  const claims = laterClaims(agreement)
  const who = own.env['POD_NAME'] ?? own.env['HOSTNAME'] ?? 'yarak'
  const host = { claims, who, lasts: LASTS, now: () => performance.now() }
  const lead: Agreement['lead'] = async (...of) => (await agreement()).lead(...of)

  const sweep = async (signal: AbortSignal): Promise<void> => {
    const ages = createAges(host.now)
    let said = false
    const failed = (error: unknown): void => {
      if (!said && !signal.aborted) log.warn('claims that are over cannot be removed', { error: messageOf(error) })
      said = true
    }
    const work = async (leading: AbortSignal): Promise<void> => {
      for (; !leading.aborted; await pause(SWEEP, leading)) await removeOld(claims, ages, leading).catch(failed)
    }
    for (; !signal.aborted; await pause(SWEEP, signal)) await lead('claims', signal, work).catch(failed)
  }
  let sweeping: Promise<void> = Promise.resolve()
  /** Those that run, are let go for others, or are being settled. */
  const answering = new Set<Promise<void>>()
  const track = <T>(work: Promise<T>): Promise<T> => {
    const over = work.then(ignore, ignore).finally(() => answering.delete(over))
    answering.add(over)
    return work
  }

  const ended = async (): Promise<void> => void (await Promise.all([sweeping, ...answering]))

  return {
    lead,
    async answerOnce(about, run) {
      if (about.past.report()) return answerHere(about, run)
      const answer = await track(answerOnce(about, host, run))
      return { ...answer, settle: () => track(answer.settle()) }
    },
    start(signal) {
      sweeping = sweep(signal)
    },
    ended,
    letGo: () => Promise.race([ended(), pause(LET_GO)]),
  }
}

const ignore = (): void => {}

/** Those of a place that is opened when it is first needed. */
const laterClaims = (agreement: () => Promise<Agreement>): Claims => {
  const [reads, writes] = [createPlaces(AT_A_TIME), createPlaces(AT_A_TIME)]
  const ask = async <T>(places: Places, one: (claims: Claims) => Promise<T>): Promise<T> => {
    const free = await places.take()
    try {
      return await one((await agreement()).claims)
    } finally {
      free?.()
    }
  }
  return {
    read: (id) => ask(reads, (claims) => claims.read(id)),
    create: (id, claim) => ask(writes, (claims) => claims.create(id, claim)),
    replace: (id, claim, version) => ask(writes, (claims) => claims.replace(id, claim, version)),
    remove: async (id, version) => (await agreement()).claims.remove(id, version),
    async *list() {
      yield* (await agreement()).claims.list()
    },
  }
}

/** How long each has not changed, as far as we have seen: the clocks of others are not trusted. */
const createAges = (now: () => number) => {
  let seen = new Map<string, { readonly version: string; readonly at: number }>()
  return {
    /** Forgets all that are not asked for again until the next call. */
    turn(): (id: string, version: string) => number {
      const before = seen
      seen = new Map()
      return (id, version) => {
        const known = before.get(id)
        const entry = known?.version === version ? known : { version, at: now() }
        seen.set(id, entry)
        return now() - entry.at
      }
    },
  }
}

const removeOld = async (claims: Claims, ages: ReturnType<typeof createAges>, signal: AbortSignal): Promise<void> => {
  const ageOf = ages.turn()
  for await (const { id, version, settled } of claims.list()) {
    if (signal.aborted) return
    if (ageOf(id, version) >= (settled ? KEEP.settled : KEEP.open)) await claims.remove(id, version)
  }
}

/** @throws YarakError `config` when an input is to be led and nobody can be asked who leads */
export const leadOf = (given: InputInput, sharing: Sharing | undefined): Sharing['lead'] | undefined => {
  if (!('leader' in given && given.leader)) return undefined
  const { id, plugin } = inputOf(given)
  const wrong = whyNotLed(plugin, sharing !== undefined)
  if (wrong) throw new YarakError('config', `input ${id}: leader ${wrong}`)
  return sharing?.lead
}

/** Why one replica alone cannot read an input. */
export const whyNotLed = ({ run }: Pick<Input, 'run'>, isAgreed: boolean): string | undefined => {
  if (!run) return 'is for inputs that read: what is sent here is taken by every replica'
  return isAgreed ? undefined : 'needs `claims`, where it is agreed on who leads'
}
