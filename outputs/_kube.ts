/** Names and answers of Kubernetes that several outputs look at. */
import { messageOf, YarakError, z } from '../src/plugin.ts'

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

/** Whether a namespace can have this name: what an event claims may be anything. */
export const isKubeName = (text: string): boolean => LABEL.test(text)

/** A name of Kubernetes: a DNS label. */
export const kubeName = () => z.string().regex(LABEL, 'must be a name of Kubernetes: a-z, 0-9 and -, at most 63')

/** What the API server said, by the reason of its error. */
export const isReason = (error: unknown, ...reasons: readonly string[]): boolean =>
  error instanceof YarakError && reasons.includes(error.reason)

/** Of a creation: the namespace is not there, or on its way out. */
export const isWithoutNamespace = (error: unknown): boolean =>
  isReason(error, 'not-found') || (isReason(error, 'forbidden') && messageOf(error).includes('being terminated'))
