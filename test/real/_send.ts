/** An output by itself, with real HTTP. */
import { createHttpClient } from '../../src/http.ts'
import type { Io, Notice, Output } from '../../src/plugin.ts'
import { testIo } from '../../src/testing.ts'

const NEVER = new AbortController().signal

/** One send by an output opened for it, with real HTTP. */
export const send = async (output: Output, config: object, notices: readonly Notice[]): Promise<void> => {
  const client = createHttpClient()
  const base = testIo()
  const io: Io = { ...base, http: client.bind(base.call) }
  const sender = await output.open(output.config.parse(config), io)
  try {
    await sender.send(notices, NEVER)
  } finally {
    await sender.close?.()
    await client.close()
  }
}
