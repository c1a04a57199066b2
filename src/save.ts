/** Keeps the files of steps: streamed to a store, hashed on the way, with a record of custody beside each. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { YarakError } from './errors.ts'
import type { Artifact, Mode, Sender, Step, StoredFile, Subject, Target } from './plugin.ts'
import { storeFile } from './evidence.ts'
import type { StepHost } from './step.ts'
import type { Span } from './telemetry.ts'

/** Whose file it is. */
export interface Custody {
  readonly action: string
  readonly response: Step['response']
  readonly subject: Subject | undefined
  readonly target: Target
  readonly event: Step['event']
  readonly mode: Mode
  readonly dataDir: string
  readonly signal: AbortSignal
  /** The id of an output; undefined: the folder `evidence` of the data directory. */
  readonly store: string | undefined
  readonly span: Span
}

/**
 * What keeps the files of one step.
 * @throws YarakError `config` when the store is not an output that keeps files; what the store throws
 */
export const createSave =
  (custody: Custody, host: Pick<StepHost, 'tracing' | 'store' | 'compat'>): Step['save'] =>
  async (name, chunks, { contentType } = {}) => {
    const at = new Date()
    const file: StoredFile = {
      name: storedName(name, custody, at),
      ...(contentType !== undefined && { contentType }),
      metadata: metadataOf(custody),
    }
    const store = storeOf(custody, host)
    const { rule, step } = custody.response
    const type = custody.store?.split('/')[0] ?? 'file'
    const count = (isKept: boolean) => host.compat?.stored({ rule, step, type, isKept })
    const span = host.tracing.start(`store ${custody.store ?? 'evidence'}`, {
      parent: custody.span,
      attributes: { 'yarak.artifact': file.name, ...(custody.store && { 'yarak.output': custody.store }) },
    })
    return span.run(async () => {
      try {
        const measured = measure(chunks)
        const { url } = await store(file, measured.chunks, custody.signal)
        const artifact = { name: file.name, url, ...measured.end() }
        span.set({ 'yarak.artifact.size': artifact.size, 'yarak.artifact.sha256': artifact.sha256 })
        await store(recordFile(file), only(recordOf(artifact, custody, at)), custody.signal)
        count(true)
        return artifact
      } catch (error) {
        count(false)
        span.fail(error)
        throw error
      } finally {
        span.end()
      }
    })
  }

const storeOf = ({ store, dataDir }: Custody, host: Pick<StepHost, 'store'>): NonNullable<Sender['store']> => {
  if (store === undefined) return (file, chunks, signal) => storeFile(join(dataDir, 'evidence'), file, chunks, signal)
  const found = host.store(store)
  if (found) return found
  throw new YarakError('config', `${store} is not an output that keeps files`, { permanent: true })
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** Counts and hashes what passes. */
const measure = (chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) => {
  const hash = createHash('sha256')
  let size = 0
  return {
    chunks: (async function* () {
      for await (const chunk of chunks) {
        hash.update(chunk)
        size += chunk.length
        yield chunk
      }
    })(),
    end: () => ({ size, sha256: hash.digest('hex') }),
  }
}

/**
 * `<UTC time>_<namespace>_<pod>_<response>_<step>_<name>`, in the order that Falco Talon has, which lacks the response
 * and so overwrites. What comes from outside is a-z, 0-9 and dashes.
 */
const storedName = (name: string, { response, subject, target }: Custody, at: Date): string => {
  const time = at.toISOString().replaceAll(':', '-')
  const of = [subject?.namespace ?? target.namespace, subject?.name ?? target.pod ?? target.node]
  const parts = [...of.flatMap((one) => (one ? [plain(one)] : [])), response.id.slice(0, 8), response.step]
  return `${[time, ...parts].join('_')}_${safeName(name)}`
}

const plain = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9.]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .slice(0, 63)

const safeName = (name: string): string =>
  name
    .replaceAll(/[^A-Za-z0-9._-]+/g, '_')
    .replaceAll(/\.{2,}/g, '.')
    .replace(/^[._-]+/, '')
    .slice(-120) || 'file'

const metadataOf = ({ response, span, event }: Custody): Readonly<Record<string, string>> => ({
  response: response.id,
  rule: printable(response.rule),
  step: response.step,
  event: event.id,
  ...(span.traceId && { trace: span.traceId }),
})

const printable = (text: string): string => text.replaceAll(/[^ -~]/g, '?').slice(0, 200)

const recordFile = ({ name, metadata }: StoredFile): StoredFile => ({
  name: `${name}.custody.json`,
  contentType: 'application/json',
  metadata,
})

/** Who made the file, when, of what, and how it can be told that it is still the same. */
const recordOf = (artifact: Artifact, custody: Custody, at: Date): Uint8Array => {
  const { action, response, subject, event, mode, span, store } = custody
  const record = {
    ...artifact,
    savedAt: at.toISOString(),
    finishedAt: new Date().toISOString(),
    savedBy: 'yarak',
    action,
    response: { id: response.id, rule: response.rule, step: response.step, mode },
    event: { id: event.id, rule: event.rule, time: event.time, priority: event.priority },
    ...(subject && {
      subject: { kind: subject.kind, namespace: subject.namespace, name: subject.name, uid: subject.uid },
    }),
    ...(store && { store }),
    ...(span.traceId && { traceId: span.traceId }),
  }
  return Buffer.from(`${JSON.stringify(record, null, 2)}\n`)
}
