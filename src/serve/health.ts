/** How the gateway and its listeners are, together. */
import { type Health, type Trouble, withTroubles } from '../health.ts'
import type { WholeHealth } from '../ops.ts'
import type { ListenerStatus } from '../serve.ts'

export const wholeHealth = (health: Health, listeners: readonly ListenerStatus[]): WholeHealth => ({
  ...withTroubles(health, listeners.flatMap(troubleOf)),
  listeners,
})

const troubleOf = ({ address, state, since, error, admin }: ListenerStatus): Trouble[] => {
  if (state === 'listening') return []
  const severity = admin ? 'degrades' : 'fails'
  return [{ part: 'listener', id: address, severity, message: error ?? `it does not listen: it is ${state}`, since }]
}
