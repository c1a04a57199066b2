/** Judges every step that would change something, outside the rules: no rule file can switch it off. Fails closed. */
import { z } from 'zod'
import type { Change, Subject } from './plugin.ts'

export const guardSettings = z.strictObject({
  protectedNamespaces: z
    .array(z.string())
    .default(['kube-system', 'kube-public', 'kube-node-lease'])
    .describe('Nothing in these namespaces is changed, nor are the namespaces themselves.'),
  ownNamespace: z.string().optional().describe('The namespace Yarak runs in; protected too.'),
})

export type GuardSettings = z.output<typeof guardSettings>

/** Why a step may not run. */
export interface Refusal {
  /** A short stable word for metrics and traces. */
  readonly reason: string
  readonly message: string
}

/** What is to be judged. */
export interface Question {
  readonly change: Change
  /** The live target; undefined: it could not be found. */
  readonly subject: Subject | undefined
  /** The action acts on the event's target. */
  readonly needsSubject: boolean
  /** How the event's sender proved who it is. */
  readonly authenticated: string | undefined
}

export interface Guard {
  /** @returns why not, or undefined when the step may run */
  judge(question: Question): Refusal | undefined
}

export const createGuard = (settings: GuardSettings): Guard => {
  const namespaces = new Set([
    ...settings.protectedNamespaces,
    ...(settings.ownNamespace ? [settings.ownNamespace] : []),
  ])
  return {
    judge({ change, subject, needsSubject, authenticated }) {
      if (change === 'nothing') return undefined
      if (change === 'destructive' && !authenticated) return UNAUTHENTICATED
      if (!needsSubject) return undefined
      if (!subject) return { reason: 'no-target', message: 'the event names no target that can be found' }
      const namespace = subject.kind === 'Namespace' ? subject.name : subject.namespace
      if (namespace !== undefined && namespaces.has(namespace)) {
        return { reason: 'protected-namespace', message: `the namespace ${namespace} is protected` }
      }
      return undefined
    },
  }
}

const UNAUTHENTICATED: Refusal = {
  reason: 'unauthenticated-source',
  message: 'the sender of the event did not prove who it is: set up authentication at its input, or `trust: true`',
}
