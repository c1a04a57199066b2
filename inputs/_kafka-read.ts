/** One membership of the Kafka input in its group, on the topics that there are now. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type InputIo, messageOf } from '../src/plugin.ts'
import type { ConsumerOptions, KafkaClient, KafkaConsumer } from '../src/resources/kafka.ts'
import type { Poison } from './_kafka-poison.ts'
import { createKafkaSession, type KafkaSession, type SessionOptions } from './_kafka-session.ts'
import { findTopics, type Found, remember, select, type TopicSettings } from './_kafka-topics.ts'

export type ReadSettings = TopicSettings & SessionOptions & Pick<ConsumerOptions, 'from' | 'sessionTimeout'>

interface Around {
  readonly client: KafkaClient
  readonly poison: Poison
  readonly io: InputIo
}

/** Ends with a stop, or when the topics are others than they were. Rejects when the group is lost. */
export const readOnce = async (settings: ReadSettings, around: Around): Promise<void> => {
  const { client, io, poison } = around
  const found = await findTopics(client, io.state, settings)
  if (found.missing.length > 0) io.log.warn('topics that are not there yet are not read', { topics: found.missing })
  const { groupId, from, sessionTimeout } = settings
  const consumer = client.consumer({
    ...{ groupId, from, sessionTimeout },
    topics: found.names,
    fresh: found.fresh,
    onBatch: (batch) => session.take(batch),
    onAssigned(partitions, kept) {
      session.assign(partitions, kept)
      void remember(io.state, found)
    },
  })
  const session = createKafkaSession(settings, io, consumer, poison)
  await run(consumer, session, io.signal, (over) => changed(settings, around, { found, session, over }))
}

/** @param enough resolves when there is reason to stop other than the gateway's; ends with its signal */
const run = async (
  consumer: KafkaConsumer,
  session: KafkaSession,
  signal: AbortSignal,
  enough: (over: AbortSignal) => Promise<void>,
): Promise<void> => {
  if (signal.aborted) return
  const over = new AbortController()
  const stop = () => over.abort()
  signal.addEventListener('abort', stop)
  try {
    const running = consumer.run()
    await Promise.race([running, enough(over.signal)])
    // a member that was lost while it stopped has nothing left to commit
    await Promise.race([running.catch(() => {}), session.drain()])
  } finally {
    stop()
    signal.removeEventListener('abort', stop)
    session.close()
    await consumer.close()
  }
}

interface Membership {
  readonly found: Found
  readonly session: KafkaSession
  readonly over: AbortSignal
}

/** Looks now and then: resolves when the topics have changed, or at the end. */
const changed = async (
  settings: ReadSettings,
  { client, io }: Around,
  { found, session, over }: Membership,
): Promise<void> => {
  while (await passed(settings.topicsInterval, over)) {
    try {
      const now = select(await client.topics(), settings)
      if (String(now.names) === String(found.names)) session.ends(await client.ends(found.names))
      else return io.log.info('the topics have changed', { topics: now.names })
    } catch (error) {
      io.log.debug('the topics are not known', { error: messageOf(error) })
    }
  }
}

const passed = (milliseconds: number, signal: AbortSignal): Promise<boolean> =>
  sleep(milliseconds, true, { signal }).catch(() => false)
