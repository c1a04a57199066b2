/** The limit: kafkajs and JSON.parse. Arguments: brokers, topic, group, how many events. */
import { Kafka, logLevel } from 'kafkajs'

const [, , brokers = '', topic = '', groupId = '', wanted = '0'] = process.argv
const consumer = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).consumer({ groupId })
await consumer.connect()
await consumer.subscribe({ topics: [topic], fromBeginning: true })
let events = 0
let started = 0
const done = Promise.withResolvers<void>()
await consumer.run({
  autoCommit: false,
  partitionsConsumedConcurrently: 8,
  async eachBatch({ batch }) {
    started ||= performance.now()
    for (const { value } of batch.messages) {
      JSON.parse(value?.toString('utf8') ?? '')
      events++
    }
    if (events >= Number(wanted)) done.resolve()
  },
})
await done.promise
console.log(JSON.stringify({ bench: 'ended', rate: events / ((performance.now() - started) / 1_000) }))
await consumer.disconnect()
