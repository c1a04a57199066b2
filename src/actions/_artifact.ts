/** Files that steps make: written whole or not at all, hashed on the way, readable by their owner only. */
import { createHash } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Artifact, messageOf, type Step, YarakError } from '../plugin.ts'
import { slugged } from './_text.ts'

/** Where files of steps are kept: `dir`, by default `evidence` in the data directory. */
export const evidenceFolder = (dir: string | undefined, { dataDir }: Pick<Step, 'dataDir'>): string =>
  resolve(dir ?? join(dataDir, 'evidence'))

/** `<UTC time>_<rule>_<response>`, in which nothing but a-z, 0-9 and dashes comes from outside. */
export const evidenceName = ({ response }: Pick<Step, 'response'>, at: Date): string => {
  const time = at.toISOString().replaceAll(/[-:]/g, '')
  return `${time}_${slugged(response.rule, 'rule')}_${slugged(response.id, 'response')}`
}

/**
 * Writes a file piece by piece. It appears under its name only when all of it is on the disk.
 * @throws YarakError `failed` with the system's code as reason, e.g. `enospc`; what `chunks` throws as it is
 */
export const saveArtifact = async (
  folder: string,
  name: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<Artifact> => {
  const path = join(folder, name)
  const draft = join(folder, `.${name}.draft`)
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const written = await writeSynced(draft, chunks)
    await rename(draft, path)
    return { name, url: pathToFileURL(path).href, ...written }
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {})
    throw error instanceof YarakError ? error : notWritten(error)
  }
}

const writeSynced = async (path: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) => {
  const hash = createHash('sha256')
  let size = 0
  await using file = await open(path, 'w', 0o600)
  for await (const chunk of chunks) {
    hash.update(chunk)
    size += chunk.length
    await file.writeFile(chunk)
  }
  await file.sync()
  return { size, sha256: hash.digest('hex') }
}

const notWritten = (cause: unknown): YarakError => {
  const { code } = cause as { code?: unknown }
  return new YarakError('failed', `the evidence cannot be written: ${messageOf(cause)}`, {
    cause,
    ...(typeof code === 'string' && { reason: code.toLowerCase() }),
  })
}
