/** Rows about reading a file and a topic. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { kafka } from '../real/kafka.ts'
import { measured } from './child.ts'
import { anAlert } from './events.ts'
import type { Row } from './measure.ts'

const EVENTS = 100_000

export const streamRows: readonly Row[] = [
  {
    name: 'file',
    what: 'a file read to its end, of read, split and JSON.parse in one loop',
    unit: 'events/s',
    goal: 0.65,
    async open() {
      const folder = mkdtempSync(join(tmpdir(), 'yarak-bench-'))
      const path = join(folder, 'falco.jsonl')
      writeFileSync(path, `${Array.from({ length: EVENTS }, (_, n) => anAlert(n)).join('\n')}\n`)
      return {
        ours: () => measured('tail-yarak.ts', [path, String(EVENTS)]),
        anchor: () => measured('tail-raw.ts', [path]),
        close: async () => rmSync(folder, { recursive: true, force: true }),
      }
    },
  },
  {
    name: 'kafka',
    what: 'a topic read to its end, of eachBatch of kafkajs with JSON.parse',
    unit: 'events/s',
    goal: 0.7,
    missing: () => kafka.missing(),
    async open() {
      await kafka.ensure(console.error)
      const broker = await kafka.start()
      const brokers = broker.addresses.brokers.join(',')
      await fill(broker.addresses.brokers)
      let group = 0
      const run = (program: string) => () => measured(program, [brokers, 'bench', `bench-${group++}`, String(EVENTS)])
      return { ours: run('kafka-yarak.ts'), anchor: run('kafka-raw.ts'), close: () => broker.stop() }
    },
  },
]

const fill = async (brokers: readonly string[]): Promise<void> => {
  const client = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const admin = client.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: 'bench', numPartitions: 4 }], waitForLeaders: true })
  await admin.disconnect()
  const producer = client.producer()
  await producer.connect()
  for (let n = 0; n < EVENTS; n += 500) {
    const messages = Array.from({ length: 500 }, (_, i) => ({ value: anAlert(n + i) }))
    await producer.send({ topic: 'bench', messages })
  }
  await producer.disconnect()
}
