/** The event that a POST to `/test` makes: to see whether rules and outputs are reached. */

export const testEvent = (now: Date): Record<string, unknown> => ({
  output: 'Test event of the HTTP input: nothing happened',
  priority: 'Debug',
  rule: 'Test rule',
  time: now.toISOString(),
  source: 'test',
  hostname: 'yarak',
  tags: ['test'],
  output_fields: { 'proc.name': 'yarak', 'user.name': 'yarak' },
})
