/** What an action declares, what it is given, and what is told of it. Authors import it from `plugin.ts`. */
import type { z } from 'zod'
import { declare } from './declare.ts'
import type { FalcoEvent } from './event.ts'
import type { Declared, Io, Resource, Spec } from './plugin.ts'
import type { Target } from './target.ts'
import type { Undoable, UndoKind } from './undo-store.ts'

/** What an action does to the world. Guards judge everything but `nothing`. */
export type Change = 'nothing' | 'reversible' | 'destructive'

/** A live thing that a step is about: guards judge this, so they need to know no vendor. */
export interface Subject {
  /** `Pod`, `Node`, `Namespace`, ... */
  readonly kind: string
  /** Unique for this thing: serialises responses on it. */
  readonly key: string
  readonly namespace?: string
  readonly name?: string
  readonly uid?: string
  readonly labels?: Readonly<Record<string, string>>
  /** The controller first; of a pod then the owner of its controller, and so on to the top. */
  readonly owners?: readonly { readonly kind: string; readonly name: string; readonly uid?: string }[]
  readonly node?: string
  /** Of the workload that it belongs to, where that is known. */
  readonly replicas?: { readonly desired: number; readonly ready: number }
  /** Why `owners` may lack some, and `replicas` all: they could not be looked up. A guard that needs them refuses. */
  readonly incomplete?: string
}

/**
 * Turns an event's target into the live thing; undefined: the event names none. Looked up once in a response.
 * With the event it can also tell a thing that was made since, under the same name.
 * @throws YarakError `gone` when it is not there any more
 */
export type Resolver = (target: Target, io: Io, event?: FalcoEvent) => Promise<Subject | undefined>

/** A rule of a Kubernetes Role: what an action needs to be allowed. */
export interface PolicyRule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  readonly resourceNames?: readonly string[]
  /** `own`: needed only in the namespace that Yarak runs in. Default: wherever the targets are. */
  readonly namespace?: 'own'
  /** Printed apart, with this warning: the right is wider than what is done with it. */
  readonly warning?: string
}

/** A file that a step made. */
export interface Artifact {
  readonly name: string
  /** Where it is kept. */
  readonly url: string
  /** Bytes. */
  readonly size: number
  readonly sha256: string
}

/** What a step did. */
export interface Result {
  /** One line for people. */
  readonly summary: string
  /** What was touched, e.g. `{ pod, namespace }`. */
  readonly objects?: Readonly<Record<string, string>>
  /** Text that later steps and messages may use, e.g. a command's output. */
  readonly output?: string
  readonly artifacts?: readonly Artifact[]
}

export type Mode = 'observe' | 'enforce'

/** {@link Io} of one run of an action. */
export interface Step extends Io {
  readonly event: FalcoEvent
  readonly target: Target
  /** The live target, when the action declares how to resolve it. */
  readonly subject: Subject | undefined
  readonly mode: Mode
  /** Validate only, change nothing: set in observe mode, or by `dryRun` of the step, for an action that honours it. */
  readonly dryRun: boolean
  /** 1 for the first try. */
  readonly attempt: number
  /** Aborted at the step's deadline and when the gateway stops. */
  readonly signal: AbortSignal
  /** Results of the earlier steps by id. */
  readonly previous: Readonly<Record<string, StepReport>>
  readonly response: {
    readonly id: string
    readonly rule: string
    /** The id of the step in its rule. */
    readonly step: string
    readonly traceparent: string | undefined
  }
  /**
   * Asks the guard about another thing that the step is about to change: an object that its settings name, each pod of
   * a drain. Call it before each such change.
   * @throws YarakError `refused`
   */
  judge(subject: Subject): Promise<void>
  /**
   * Keeps a file in the step's store, else in the folder `evidence` of the data directory. It is hashed on the way, and
   * beside it a record tells who made it, when and in which trace.
   * @param name of `a-z A-Z 0-9 . _ -`, with `/` for folders; it is made unique by the engine's prefix
   * @example await step.save('capture.pcap', chunks, { contentType: 'application/vnd.tcpdump.pcap' })
   */
  save(
    name: string,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options?: { readonly contentType?: string },
  ): Promise<Artifact>
}

/** {@link Io} of the undoing of one change. */
export interface UndoStep extends Io {
  readonly signal: AbortSignal
  readonly traceparent: string | undefined
}

/** How a change is taken back. */
export interface Undo {
  /** Where the notes are: the resource declares `undos`. */
  readonly in: Resource
  /** The kinds of objects that carry the note of the change. */
  readonly on: readonly UndoKind[]
  readonly permissions?: readonly PolicyRule[]
  /**
   * Puts back what was there before, where it is still what the action made, and removes the note. A thing that is gone
   * needs nothing: throw `gone`.
   */
  run(change: Undoable, step: UndoStep): Promise<Result>
}

/** Depends on the settings. Declared as a method, so that actions of all settings fit in one list. */
export type Decided<P, T> = { of(params: P): T }['of']

type Decided2<P, Q, T> = { of(params: P, step: Q): T }['of']

/** Does one thing about an event. */
export interface Action<S extends z.ZodType = z.ZodType> extends Spec<S> {
  readonly changes: Change | Decided<z.output<S>, Change>
  /** How the live target is found. An action that changes something and declares this never runs without a target. */
  readonly target?: Resolver
  /** `run` honours `step.dryRun`. Default false: in observe mode a changing step is only simulated. */
  readonly dryRun?: boolean
  readonly permissions?: readonly PolicyRule[] | Decided<z.output<S>, readonly PolicyRule[]>
  /** It makes files: `always`, and then its step must name a store; `maybe`: without one they are kept beside us. */
  readonly saves?: 'always' | 'maybe'
  /** How many of its runs may be at the same time. Default 32. */
  readonly concurrency?: number
  /** Milliseconds of one try where the step sets no `timeout`. Default 30,000. */
  readonly timeout?: number | Decided<z.output<S>, number>
  /** A short example for the docs page: the `with` of a step. It is checked by the conformance test. */
  readonly example?: z.input<S>
  run(params: z.output<S>, step: Step): Promise<Result>
  /**
   * Asked when a crash left open whether `run` happened: its result when it did, undefined when it did not.
   * `'repeatable'`: running it twice has the effect of running it once, so it is simply run again.
   * Default: a step that changes nothing runs again, any other ends as `unknown`.
   */
  readonly done?: 'repeatable' | Decided2<z.output<S>, Step, Promise<Result | undefined>>
  readonly undo?: Undo
}

export const defineAction = <S extends z.ZodType>(spec: Action<S>): Declared<Action<S>, Templated<z.input<S>>> =>
  declare('action', spec)

/** The same settings, where any leaf may also be a Liquid template. */
export type Templated<T> = T extends string
  ? T | string
  : T extends number | boolean
    ? T | `${string}{{${string}}}${string}`
    : T extends readonly (infer E)[]
      ? readonly Templated<E>[]
      : T extends object
        ? { [K in keyof T]: Templated<T[K]> }
        : T

/** How a step or a response ended. A closed list. */
export type Outcome = 'succeeded' | 'failed' | 'timed_out' | 'refused' | 'skipped' | 'gone' | 'unknown' | 'interrupted'

export interface StepReport {
  readonly id: string
  /** Its type; `wait` for a pause. */
  readonly action: string
  readonly outcome: Outcome
  readonly summary: string
  /** The step was not really run: observe mode, or `dryRun`. */
  readonly simulated?: boolean
  /** What it changed can be taken back. */
  readonly undoable?: boolean
  readonly objects?: Readonly<Record<string, string>>
  readonly output?: string
  readonly artifacts?: readonly Artifact[]
  readonly error?: { readonly code: string; readonly reason: string; readonly message: string }
  readonly attempts: number
  /** RFC 3339, UTC, with milliseconds. */
  readonly startedAt?: string
  /** Milliseconds. */
  readonly duration: number
}

/** What one rule did about one event. */
export interface Report {
  /** The response's id: the same for the same event and rule. */
  readonly id: string
  readonly event: string
  readonly rule: string
  readonly mode: Mode
  readonly outcome: Outcome
  readonly steps: readonly StepReport[]
  readonly target?: string
  readonly cluster?: string
  /** RFC 3339, UTC. */
  readonly startedAt: string
  /** Milliseconds. */
  readonly duration: number
  readonly traceId?: string
  /** The replica that did it, when it is not this one. */
  readonly handedOverTo?: string
}
