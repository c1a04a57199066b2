/** What a command or a container prints, as a file of the step. */
import { type Artifact, type Step, YarakError } from '../../plugin.ts'
import { apiPath, type Clients } from '../../resources/kubernetes.ts'
import { type Capped, capped } from '../_text.ts'
import type { PodSubject } from './resolve.ts'

/** How much a file may have, and what happens beyond. */
export interface Limit {
  readonly size: number
  /** `refuse`: nothing is kept. `cut`: what came before is. */
  readonly beyond: 'refuse' | 'cut'
}

/** Keeps what comes. A lost connection may be tried again: nothing was changed but what is kept. */
export const saveStream = async (
  step: Step,
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  { limit, contentType }: { readonly limit: Limit; readonly contentType: string },
): Promise<Artifact> => {
  try {
    return await step.save(name, bounded(chunks, limit), { contentType })
  } catch (error) {
    if (!(error instanceof YarakError) || error.reason !== 'dropped') throw error
    throw new YarakError('unavailable', 'the connection was lost before the end', { cause: error, reason: 'dropped' })
  }
}

async function* bounded(chunks: AsyncIterable<Uint8Array>, { size, beyond }: Limit) {
  let left = size
  for await (const chunk of chunks) {
    if (chunk.length > left && beyond === 'refuse') {
      const message = `it has more than ${size} bytes`
      throw new YarakError('refused', message, { permanent: true, reason: 'too-large' })
    }
    const part = chunk.subarray(0, left)
    left -= part.length
    if (part.length > 0) yield part
    if (chunk.length > part.length) return
  }
}

interface LogOf {
  readonly clients: Clients
  readonly pod: PodSubject
  readonly step: Step
  /** Where it is cut. */
  readonly size: number
}

/** The log of a container as a file, and 64 KiB of it as text. */
export const saveLog = async (container: string, { clients, pod, step, size }: LogOf) => {
  const text = capped()
  const path = apiPath('v1', 'namespaces', pod.namespace, 'pods', pod.name, 'log')
  const artifact = await clients.stream({ method: 'GET', path, query: { container } }, (chunks) =>
    saveStream(step, `${container}.log`, copied(chunks, text), {
      limit: { size, beyond: 'cut' },
      contentType: 'text/plain',
    }),
  )
  return { artifacts: [artifact], ...(artifact.size > 0 && { output: text.text() }) }
}

async function* copied(chunks: AsyncIterable<Uint8Array>, text: Capped) {
  for await (const chunk of chunks) {
    text.add(chunk)
    yield chunk
  }
}
