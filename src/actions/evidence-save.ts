import { defineAction, type Result, type Step, toJson, z } from '../plugin.ts'
import { evidenceFolder, evidenceName, saveArtifact } from './_artifact.ts'
import { fixed } from './_fixed.ts'

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
    const text = Buffer.from(`${toJson(evidenceOf(step), 2)}\n`)
    const name = `${evidenceName(step, new Date())}.json`
    const artifact = await saveArtifact(evidenceFolder(dir, step), name, [text])
    return { summary: `saved ${artifact.name}`, objects: { file: artifact.name }, artifacts: [artifact] }
  },
})

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
