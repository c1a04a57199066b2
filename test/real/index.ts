/** Every real part there is. */
import { alertmanager } from './alertmanager.ts'
import { helm, helmVersions } from './helm.ts'
import { jaeger } from './jaeger.ts'
import { kafka, kafkaVersions } from './kafka.ts'
import { kubernetes } from './kubernetes.ts'
import { loki } from './loki.ts'
import { mosquitto } from './mosquitto.ts'
import { nats } from './nats.ts'
import { type Part } from './part.ts'
import { falcosidekick, talon } from './peers.ts'
import { postgres } from './postgres.ts'
import { prometheus } from './prometheus.ts'
import { rabbitmq } from './rabbitmq.ts'
import { redis } from './redis.ts'
import { rsyslog } from './rsyslog.ts'
import { s3 } from './s3.ts'
import { smtp } from './smtp.ts'
import { tempo } from './tempo.ts'

/** A part, and the versions that `start` knows when there are several. */
export interface Entry {
  readonly part: Part<object>
  readonly versions?: readonly string[]
}

export const entries: readonly Entry[] = [
  { part: kafka, versions: kafkaVersions },
  { part: kubernetes },
  { part: helm, versions: helmVersions },
  ...[jaeger, tempo, redis, nats, rabbitmq, mosquitto, postgres].map((part: Part<object>) => ({ part })),
  ...[prometheus, alertmanager, loki, rsyslog, smtp, s3].map((part: Part<object>) => ({ part })),
  ...[falcosidekick, talon].map((part: Part<object>) => ({ part })),
]
