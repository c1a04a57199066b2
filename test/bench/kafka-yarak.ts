/** The Kafka input of a gateway. Arguments: brokers, topic, group, how many events. */
import { kafka } from '../../inputs/kafka.ts'
import { createGateway } from '../../src/index.ts'

const [, , brokers = '', topic = '', groupId = '', wanted = '0'] = process.argv
const gateway = createGateway({
  inputs: [kafka({ brokers: brokers.split(','), topics: [topic], groupId, from: 'earliest' })],
})
await gateway.start()
const settled = async (): Promise<number> =>
  Number(
    /yarak_events_settled_total\{input="kafka"\} (\d+)/.exec(
      await (await gateway.ops.request('/metrics')).text(),
    )?.[1] ?? 0,
  )
let started = 0
for (let events = 0; events < Number(wanted); events = await settled()) {
  if (events > 0) started ||= performance.now()
  await new Promise((resolve) => setTimeout(resolve, 5))
}
console.log(JSON.stringify({ bench: 'ended', rate: Number(wanted) / ((performance.now() - started) / 1_000) }))
await gateway.stop()
