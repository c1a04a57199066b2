/** What the Kafka part does as a client: ask whether the broker is there, and disturb a consumer group. */
import { Kafka, logLevel } from 'kafkajs'

const client = (brokers: readonly string[]): Kafka =>
  new Kafka({
    clientId: 'yarak-real',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1_000,
    requestTimeout: 5_000,
    retry: { retries: 0 },
  })

/** True once a broker is registered and not fenced: from then on topics can be made. */
export const clusterIsUp = async (brokers: readonly string[]): Promise<true | undefined> => {
  const admin = client(brokers).admin()
  try {
    await admin.connect()
    const cluster = await admin.describeCluster()
    return cluster.brokers.length > 0 ? true : undefined
  } finally {
    await admin.disconnect()
  }
}

/** Joins `group` as one more member and leaves it again, which the members that stay see as two rebalances. */
export const rebalance = async (
  brokers: readonly string[],
  group: string,
  topics: readonly string[],
): Promise<void> => {
  const member = client(brokers).consumer({ groupId: group, retry: { retries: 10 } })
  const joined = new Promise((done) => member.on(member.events.GROUP_JOIN, done))
  try {
    await member.connect()
    await member.subscribe({ topics: [...topics] })
    await member.run({ autoCommit: false, eachBatch: async () => {} })
    await joined
  } finally {
    await member.disconnect()
  }
}
