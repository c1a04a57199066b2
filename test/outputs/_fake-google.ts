/** Services of Google Cloud that take a token and nothing else. */
import { expect } from 'vitest'
import type { Output } from '../../src/plugin.ts'
import type { Notice } from '../../src/plugin.ts'
import { type Answer, type RecordedRequest, testIo } from '../../src/testing.ts'
import { NEVER } from './_fake-aws.ts'

const AUTHORIZATION = 'Bearer ya29.token'

/** As Google's APIs tell an error. */
export const googleFault = (code: number, status: string, message = 'because'): Answer => ({
  status: code,
  body: { error: { code, message, status } },
})

type Service = (request: RecordedRequest) => Answer | undefined

/** Opens an output in front of a service. */
export const googleRig = async (output: Output, config: object, answer?: Service, authorization = AUTHORIZATION) => {
  const audiences: string[] = []
  const google = {
    authorization: async () => AUTHORIZATION,
    identity: async (audience: string) => (audiences.push(audience), AUTHORIZATION),
    project: async (wanted = 'the-project-of-the-credentials') => wanted,
  }
  const io = testIo({
    answer: (request) =>
      request.headers.authorization === authorization
        ? (answer?.(request) ?? {})
        : googleFault(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.'),
    resources: { google },
  })
  const sender = await output.open(output.config.parse(config), io)
  const send = (...notices: readonly Notice[]) => sender.send(notices, NEVER)
  const only = (): RecordedRequest => io.requests[0] ?? expect.fail('nothing was sent')
  return { io, send, only, audiences }
}

/** The text that is in Base64. */
export const decoded = (data = ''): string => Buffer.from(data, 'base64').toString()

/** A file's worth of the key of a service account, and a token service that takes it. */
export const serviceAccount = (privateKey: string) => ({
  type: 'service_account',
  project_id: 'secops',
  client_email: 'yarak@secops.iam.gserviceaccount.com',
  private_key: privateKey,
  private_key_id: 'abc',
  token_uri: 'https://oauth2.googleapis.com/token',
})
