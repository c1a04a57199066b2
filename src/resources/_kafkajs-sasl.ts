/** How kafkajs is told to prove who we are. */
import type { KafkaConfig } from 'kafkajs'
import { messageOf, YarakError } from '../plugin.ts'
import type { Sasl } from './_kafka-settings.ts'
import { createMskToken, createOauthToken, type Token } from './_kafka-tokens.ts'
import type { DriverIo } from './kafka.ts'

/** kafkajs asks for a token at every connection, and again before the session that the broker granted ends. */
export const saslOf = (sasl: Sasl, io: DriverIo): NonNullable<KafkaConfig['sasl']> => {
  switch (sasl.mechanism) {
    case 'oauthbearer':
      return bearer(createOauthToken(sasl, io))
    case 'aws-msk-iam':
      return bearer(createMskToken(sasl.region, io))
    default: {
      const { mechanism, username, password } = sasl
      return { mechanism, username, password } as NonNullable<KafkaConfig['sasl']>
    }
  }
}

const bearer = (token: Token): NonNullable<KafkaConfig['sasl']> => ({
  mechanism: 'oauthbearer',
  oauthBearerProvider: async () => ({ value: await token().catch(unavailable) }),
})

/** However the token was refused: it is nothing that is wrong with a record. */
const unavailable = (cause: unknown): never => {
  throw new YarakError('unavailable', `no token for the brokers: ${messageOf(cause)}`, {
    cause,
    reason: 'authentication',
  })
}
