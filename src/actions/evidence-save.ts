import { createHash } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Artifact, defineAction, messageOf, type Result, type Step, toJson, YarakError, z } from '../plugin.ts'
import { fixed } from './_fixed.ts'
import { slugged } from './_text.ts'

const params = z
  .strictObject({
    dir: z.string().min(1).optional().describe('Directory for the files. Default: `evidence` in the data directory.'),
  })
  .refine(...fixed('dir'))

/**
 * Writes what is known into a file: the event, the target, and what the steps before this one did.
 * @example evidenceSave({})
 */
export const evidenceSave = defineAction({
  type: 'evidence:save',
  summary: 'Writes the event and what the steps so far did into a JSON file.',
  notes:
    'The file is `<UTC time>_<rule>_<response>.json`, readable by its owner only, written whole or not at all. It is the artifact of the step, with its size and SHA-256.',
  config: params,
  changes: 'nothing',
  example: {},
  async run({ dir }, step): Promise<Result> {
    const folder = resolve(dir ?? join(step.dataDir, 'evidence'))
    const artifact = await write(folder, fileName(step, new Date()), `${toJson(evidenceOf(step), 2)}\n`).catch(failed)
    return { summary: `saved ${artifact.name}`, objects: { file: artifact.name }, artifacts: [artifact] }
  },
})

const fileName = ({ response }: Step, at: Date): string => {
  const time = at.toISOString().replaceAll(/[-:]/g, '')
  return `${time}_${slugged(response.rule, 'rule')}_${slugged(response.id, 'response')}.json`
}

const evidenceOf = ({ event, target, subject, response, mode, previous }: Step) => ({
  savedAt: new Date().toISOString(),
  response: { ...response, mode },
  eventId: event.id,
  input: event.input,
  event,
  target,
  subject,
  steps: Object.values(previous),
})

/** The file appears under its name only when all of it is on the disk. */
const write = async (folder: string, name: string, text: string): Promise<Artifact> => {
  const bytes = Buffer.from(text)
  const path = join(folder, name)
  const draft = join(folder, `.${name}.draft`)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  try {
    await writeSynced(draft, bytes)
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { name, url: pathToFileURL(path).href, size: bytes.length, sha256 }
}

const writeSynced = async (path: string, bytes: Uint8Array): Promise<void> => {
  await using file = await open(path, 'w', 0o600)
  await file.writeFile(bytes)
  await file.sync()
}

const failed = (cause: unknown): never => {
  const { code } = cause as { code?: string }
  throw new YarakError('failed', `the evidence cannot be written: ${messageOf(cause)}`, {
    cause,
    ...(code && { reason: code.toLowerCase() }),
  })
}
