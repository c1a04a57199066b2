/** What an error of the Kafka client library means for the engine. */
import { messageOf, YarakError, type ErrorOptions } from '../plugin.ts'

/** The members of kafkajs's errors that say what went wrong. */
interface Fault {
  readonly name?: string
  /** The protocol's name of the error, e.g. `MESSAGE_TOO_LARGE`. */
  readonly type?: string
  readonly code?: string | number
  readonly cause?: unknown
  readonly originalError?: unknown
}

const DEPTH = 10

/** The error and its causes, outermost first. */
const causesOf = (error: unknown): Fault[] => {
  const causes: Fault[] = []
  for (let at = error as Fault | undefined; typeof at === 'object' && at && causes.length < DEPTH;) {
    causes.push(at)
    at = (at.cause ?? at.originalError) as Fault | undefined
  }
  return causes
}

interface Meaning {
  readonly says: string
  readonly reason: string
  readonly permanent?: boolean
}

const TOO_LARGE: Meaning = { says: 'the record is larger than the broker takes', reason: 'too-large', permanent: true }
const MOVED: Meaning = { says: 'the group is rebalancing', reason: 'rebalance' }
const DENIED: Meaning = { says: 'the user may not do this', reason: 'authorization' }

const REFUSED: Meaning = {
  says: 'the user name, password or token is wrong, or the mechanism is not the one the brokers want',
  reason: 'authentication',
}

/** By protocol error or by the name of the library's class. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map([
  ['MESSAGE_TOO_LARGE', TOO_LARGE],
  ['RECORD_LIST_TOO_LARGE', TOO_LARGE],
  ['REBALANCE_IN_PROGRESS', MOVED],
  ['ILLEGAL_GENERATION', MOVED],
  ['UNKNOWN_MEMBER_ID', MOVED],
  ['TOPIC_AUTHORIZATION_FAILED', DENIED],
  ['GROUP_AUTHORIZATION_FAILED', DENIED],
  ['CLUSTER_AUTHORIZATION_FAILED', DENIED],
  ['SASL_AUTHENTICATION_FAILED', REFUSED],
  ['KafkaJSSASLAuthenticationError', REFUSED],
  ['UNKNOWN_TOPIC_OR_PARTITION', { says: 'the topic does not exist', reason: 'unknown-topic' }],
])

/**
 * Any error of the client library, as the engine wants it: `failed` and permanent for a record that is too large,
 * else `unavailable` with the brokers in the message.
 * @param what what was tried, e.g. `reading alerts`
 */
export const kafkaError = (error: unknown, brokers: readonly string[], what: string): YarakError => {
  const causes = causesOf(error)
  const own = causes.find((cause) => cause instanceof YarakError)
  if (own) return own
  const meaning = causes.flatMap(({ type, name }) => MEANINGS.get(type ?? '') ?? MEANINGS.get(name ?? '') ?? [])[0]
  const where = `Kafka at ${brokers.join(', ')}`
  if (meaning) {
    const options: ErrorOptions = { cause: error, reason: meaning.reason, permanent: meaning.permanent ?? false }
    return new YarakError(meaning.permanent ? 'failed' : 'unavailable', `${where}: ${what}: ${meaning.says}`, options)
  }
  return new YarakError('unavailable', `${where}: ${what}: ${messageOf(error)}`, {
    cause: error,
    reason: reasonOf(causes),
  })
}

const reasonOf = (causes: readonly Fault[]): string => {
  const word = causes.map(({ type, code }) => type ?? code).find((one) => typeof one === 'string')
  return typeof word === 'string' ? word.toLowerCase().replaceAll('_', '-') : 'unavailable'
}
