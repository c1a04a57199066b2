import { defineAction, z } from '../plugin.ts'

/**
 * Writes a line into the log of the gateway, with the rule, the target and the response beside it.
 * @example log({ message: 'shell in {{ k8s.pod.name }}', level: 'warn' })
 */
export const log = defineAction({
  type: 'log',
  summary: 'Writes a line into the log of the gateway.',
  config: z.strictObject({
    message: z.string().min(1).optional().describe('What is written. Default: the output of the event.'),
    level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('How severe the line is. Default info.'),
  }),
  changes: 'nothing',
  example: { message: 'shell in {{ k8s.pod.name }}', level: 'warn' },
  async run({ message, level }, step) {
    const { event, target, response } = step
    const text = message ?? event.output
    step.log[level](text, {
      rule: response.rule,
      response: response.id,
      event: event.id,
      priority: event.priority,
      ...(target.key !== undefined && { target: target.key }),
    })
    return { summary: `logged: ${text.length > 200 ? `${text.slice(0, 199)}…` : text}` }
  },
})
