import { defineAction, type Result, type Step, toJson, z } from '../../plugin.ts'
import { topicName } from '../../resources/kafka.ts'
import { kafka } from '../../resources/kafka-producer.ts'
import { fixed } from '../_fixed.ts'

const params = z
  .strictObject({
    topic: topicName().describe('Topic to write to. It must be there.'),
    key: z.string().optional().describe('What keeps records together, in order. Default: the target of the event.'),
    value: z
      .union([z.string(), z.record(z.string(), z.unknown())])
      .optional()
      .describe('A text is written as it is, a map as JSON. Default: the event, with the response.'),
    headers: z
      .record(z.string().min(1), z.string().meta({ secret: true }))
      .default({})
      .describe('Headers of the record, beside `traceparent`. Values are never printed.'),
    acks: z
      .enum(['all', 'leader', 'none'])
      .default('all')
      .describe('Which replicas must have it before the step has succeeded. Default all.'),
    compression: z.enum(['none', 'gzip', 'snappy', 'zstd']).default('none').describe('Default none.'),
  })
  .refine(...fixed('topic'))

type Params = z.output<typeof params>

/**
 * Writes one record to a Kafka topic.
 * @example publish({ topic: 'quarantine', value: { pod: '{{ k8s.pod.name }}', rule: '{{ rule }}' } })
 */
export const publish = defineAction({
  type: 'kafka:publish',
  summary: 'Writes one record to a Kafka topic.',
  notes: [
    'The cluster is that of `resources: kafka`. The header `traceparent` lets a consumer go on in the same trace.',
    'After a failure whose outcome is not known, a step with `retries` may write the record twice.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  example: { topic: 'quarantine', value: { pod: '{{ k8s.pod.name }}', rule: '{{ rule }}' } },
  async run(settings, step): Promise<Result> {
    const { topic, acks, compression } = settings
    const producer = await step.use(kafka)
    const key = settings.key ?? step.target.key ?? null
    const value = valueOf(settings, step)
    await step.call(spanOf(topic), ({ headers }) =>
      producer.send(topic, [{ key, value, headers: { ...settings.headers, ...headers } }], { acks, compression }),
    )
    return { summary: `wrote a record to ${topic}`, objects: { topic, ...(key !== null && { key }) } }
  },
})

const valueOf = ({ value }: Params, { event, response }: Step): string => {
  if (typeof value === 'string') return value
  const { id, rule, step } = response
  return toJson(value ?? { uuid: event.id, ...event.toJSON(), response: { id, rule, step } })
}

const spanOf = (topic: string) => ({
  name: `send ${topic}`,
  kind: 'producer' as const,
  attributes: {
    'messaging.system': 'kafka',
    'messaging.operation.type': 'send',
    'messaging.operation.name': 'send',
    'messaging.destination.name': topic,
  },
})
