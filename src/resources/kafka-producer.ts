/** The Kafka cluster that actions write to. */
import { defineResource, z } from '../plugin.ts'
import { connectionSettings, type KafkaDriver, kafkajsDriver, type KafkaProducer } from './kafka.ts'

/**
 * The resource on a driver of your own.
 * @example const kafka = createKafkaResource(myDriver)
 */
export const createKafkaResource = (driver: KafkaDriver) =>
  defineResource({
    type: 'kafka',
    summary: 'The Kafka cluster that actions write to.',
    notes: 'Inputs and outputs have connections of their own.',
    config: z.strictObject(connectionSettings),
    open: async (connection, io): Promise<KafkaProducer> => driver(connection, io).producer({ createTopics: false }),
    close: (producer) => producer.close(),
  })

/** The Kafka cluster that actions write to. */
export const kafka = createKafkaResource(kafkajsDriver)
