import { defineAction, type Result, type Step, toJson, z } from '../plugin.ts'

/**
 * Writes what is known into a file: the event, the target, and what the steps before this one did.
 * @example evidenceSave({})
 */
export const evidenceSave = defineAction({
  type: 'evidence:save',
  summary: 'Writes the event and what the steps so far did into a JSON file.',
  notes:
    'The file is the artifact of the step. It goes to the `store` of the step, else into the folder `evidence` of the data directory.',
  config: z.strictObject({}),
  changes: 'nothing',
  saves: 'maybe',
  example: {},
  async run(_, step): Promise<Result> {
    const text = Buffer.from(`${toJson(evidenceOf(step), 2)}\n`)
    const artifact = await step.save('evidence.json', [text], {
      contentType: 'application/json',
    })
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
