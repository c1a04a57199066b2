/** Services of AWS, as their API references have them: the signature of every request is checked before it is answered. */
import { expect } from 'vitest'
import type { Notice, Output, Sender } from '../../src/plugin.ts'
import { type Answer, type RecordedRequest, testIo, type TestIo, type TestIoOptions } from '../../src/testing.ts'
import { signatureFault } from '../aws-signature.ts'

export const NEVER = new AbortController().signal

/** An integer that a double cannot hold. */
export const BIG = 1_769_860_800_123_456_789n

export const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }

export type Service = (request: RecordedRequest) => Answer | Error | 'hang' | undefined

/** As the protocols of JSON tell an error. */
export const jsonFault = (code: string, message = 'because', status = 400): Answer => ({
  status,
  body: { __type: `com.amazonaws.service.v1#${code}`, message },
})

/** As the Query protocol tells it. */
export const xmlFault = (code: string, message = 'because', status = 400): Answer => ({
  status,
  body: `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`,
})

export interface AwsRig {
  readonly io: TestIo
  readonly sender: Sender
  send(...notices: readonly Notice[]): Promise<void>
}

/** Opens an output in front of a service. */
export const awsRig = async (
  output: Output,
  config: object,
  service: { readonly name: string; readonly region?: string; readonly answer?: Service },
  options: TestIoOptions = {},
): Promise<AwsRig> => {
  const { name, region = 'eu-central-1', answer } = service
  const io = testIo({
    answer: (request) => {
      const fault = signatureFault(request, { ...KEYS, service: name, region })
      return fault === undefined ? (answer?.(request) ?? {}) : jsonFault('InvalidSignatureException', fault, 403)
    },
    ...options,
  })
  const sender = await output.open(output.config.parse({ ...KEYS, ...config }), io)
  return { io, sender, send: (...notices) => sender.send(notices, NEVER) }
}

/** The JSON bodies of all requests. */
export const bodiesOf = <T = Record<string, unknown>>({ requests }: TestIo): T[] =>
  requests.map(({ body }) => JSON.parse(body) as T)

/** What a send rejects with. */
export const rejection = async (sent: Promise<void>): Promise<unknown> =>
  sent.then(
    () => expect.fail('it resolved'),
    (error: unknown) => error,
  )
