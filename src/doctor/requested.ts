/** Where an output would send its requests: it is told of a sample, and nothing leaves. */
import { sample } from '../cli/send.ts'
import { parseEvent } from '../event.ts'
import type { Io, Output, Use } from '../plugin.ts'
import type { Patient } from './context.ts'
import { within } from './within.ts'

/**
 * The addresses of its requests; what an answer would make it ask next is not known.
 * @throws what the output throws before its first request, e.g. that it has no credentials
 */
export const requestedBy = async (
  { id, plugin, config }: Use<Output>,
  { lone, timeout, signal }: Pick<Patient, 'lone' | 'timeout' | 'signal'>,
): Promise<readonly string[]> => {
  const urls: string[] = []
  const http: Io['http'] = async ({ url }) => {
    urls.push(url)
    return { status: 200, headers: {}, body: '{}' }
  }
  const event = parseEvent(JSON.stringify(sample(new Date())), { id: 'sample', input: 'doctor' })
  const tell = async (either: AbortSignal): Promise<void> => {
    const sender = await plugin.open(config, { ...lone.io(id), http })
    await sender.send([{ id: 'sample', event }], either).finally(() => sender.close?.())
  }
  try {
    await within(timeout, tell, signal)
  } catch (error) {
    if (urls.length === 0) throw error
  }
  return urls
}
