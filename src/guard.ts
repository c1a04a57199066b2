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

export interface Guard {
  /**
   * @param subject the live target; undefined: it could not be found
   * @param needsSubject the action acts on the event's target
   * @returns why not, or undefined when the step may run
   */
  judge(change: Change, subject: Subject | undefined, needsSubject: boolean): Refusal | undefined
}

export const createGuard = (settings: GuardSettings): Guard => {
  const namespaces = new Set([
    ...settings.protectedNamespaces,
    ...(settings.ownNamespace ? [settings.ownNamespace] : []),
  ])
  return {
    judge(change, subject, needsSubject) {
      if (change === 'nothing' || !needsSubject) return undefined
      if (!subject) return { reason: 'no-target', message: 'the event names no target that can be found' }
      const namespace = subject.kind === 'Namespace' ? subject.name : subject.namespace
      if (namespace !== undefined && namespaces.has(namespace)) {
        return { reason: 'protected-namespace', message: `the namespace ${namespace} is protected` }
      }
      return undefined
    },
  }
}
