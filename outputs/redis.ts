/** Redis: a list, a hash or a stream. */
import { defineOutput, messageOf, type Notice, secret, toJson, YarakError, z } from '../src/plugin.ts'
import { connection } from './_connection.ts'
import { payload } from './_payload.ts'
import { settle } from './_queue.ts'
import { ADDRESS, type RedisCommand, type RedisDriver, redisDriver } from './_redis.ts'
import { tlsSettings } from './_tls.ts'

const config = z.strictObject({
  address: z.string().regex(ADDRESS, 'must be host:port').describe('`host:port` of the server. Default port 6379.'),
  username: z.string().min(1).optional().describe('User name. Default: the default user.'),
  password: secret().optional().describe('Password. Default none.'),
  database: z.int().nonnegative().default(0).describe('Number of the database. Default 0.'),
  storageType: z
    .enum(['list', 'hashmap', 'stream'])
    .default('list')
    .describe('`list`: RPUSH; `hashmap`: HSET, by the uuid of the event; `stream`: XADD. Default list.'),
  key: z.string().min(1).default('falco').describe('Key of the list, hash or stream. Default falco.'),
  maxLength: z
    .int()
    .min(1)
    .optional()
    .describe('Of a `stream`: about so many entries are kept, older ones go. Default: all are kept.'),
  tls: tlsSettings(),
})

type Config = z.output<typeof config>

/** A report has a field of its own, so that it does not replace its event. */
const fieldOf = ({ event, report }: Notice): string => {
  const uuid = event.uuid ?? event.id
  return report ? `${uuid}/${report.id}` : uuid
}

const commandFor = (notice: Notice, { storageType, key, maxLength }: Config): RedisCommand => {
  const json = toJson(payload(notice))
  if (storageType === 'list') return ['RPUSH', key, json]
  if (storageType === 'hashmap') return ['HSET', key, fieldOf(notice), json]
  const trace = notice.traceparent === undefined ? [] : ['traceparent', notice.traceparent]
  const limit = maxLength === undefined ? [] : ['MAXLEN', '~', String(maxLength)]
  return ['XADD', key, ...limit, '*', 'event', json, ...trace]
}

const meaningAt = (where: string) => (error: unknown) =>
  /^(WRONGPASS|NOAUTH|NOPERM)\b|invalid password|AUTH/.test(messageOf(error))
    ? new YarakError('unavailable', `${where} does not let us in: check username and password`, {
        cause: error,
        reason: 'authentication',
      })
    : undefined

/**
 * The output on a driver of your own, e.g. a fake in a test.
 * @example const redis = createRedis(myDriver)
 */
export const createRedis = (driver: RedisDriver) =>
  defineOutput({
    type: 'redis',
    summary: 'Adds events and reports as JSON to a list, a hash or a stream of Redis.',
    notes: `
The value is the event as \`webhook\` sends it; the report of a response adds the member \`response\`. In a hash its field is
\`<uuid of the event>/<id of the response>\`, beside the event's own. An entry of a stream has the fields \`event\` and
\`traceparent\`.

Delivered at least once: after a failure whose outcome is not known a list or a stream may get a notice again.

Differences from Falcosidekick: a failure is one and is tried again; \`storageType\` may be \`stream\`.
`.trim(),
    config,
    batch: 100,
    ordered: true,
    preview: (notice, settings) => commandFor(notice, settings),
    example: { config: { address: 'redis:6379', storageType: 'list', key: 'falco' } },
    open(settings, io) {
      const { address, database, key } = settings
      const where = `Redis at ${address}`
      const link = connection({
        name: where,
        open: (lost) => driver(settings, lost),
        close: (open) => open.close(),
        meaning: meaningAt(where),
      })
      return {
        send(notices, signal) {
          const commands = notices.map((notice) => commandFor(notice, settings))
          const [operation] = commands[0] ?? ['']
          const attributes = {
            'db.system.name': 'redis',
            'db.operation.name': operation,
            'db.namespace': String(database),
            'db.operation.batch.size': commands.length,
          }
          return io.call({ name: `${operation} ${key}`, attributes }, () =>
            link.use(async (open) => settle(await open.run(commands)), signal),
          )
        },
        close: () => link.close(),
      }
    },
  })

/**
 * Appends each notice to a list, or sets it in a hash.
 *
 * Source: the `redis` output of Falcosidekick 2.x (`outputs/redis.go`); redis.io/docs/latest/commands.
 * @example redis({ address: 'redis:6379', password: '…', storageType: 'stream', maxLength: 100_000 })
 */
export const redis = createRedis(redisDriver)
