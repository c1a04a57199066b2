import { Command } from 'commander'
import pc from 'picocolors'
import type { OutputHealth } from '../health.ts'
import { adminOrExit, placeOptions, type PlaceFlags } from './admin-client.ts'
import { plainTable } from './table.ts'
import { Exit, type Terminal } from './terminal.ts'
import { jsonText, oneLine } from './text.ts'

interface Flags extends PlaceFlags {
  readonly json?: boolean
}

export const outputsCommand = (terminal: Terminal): Command =>
  new Command('outputs').description('Look at the outputs of a running gateway.').addCommand(statusCommand(terminal))

const statusCommand = (terminal: Terminal): Command =>
  placeOptions(new Command('status'))
    .description('List outputs with what waits for them, their breaker and their last error.')
    .option('--json', 'as JSON: an array of {id, queued, breaker, lastError}')
    .addHelpText(
      'after',
      `
A breaker is closed while deliveries succeed; open when several failed in a row, and nothing is tried for a while; half-open
while one delivery tries whether the other side is back.

Examples:
  yarak outputs status
  yarak outputs status --url https://gateway:2802 --json

Exits with 1 when no gateway runs, or a breaker is not closed.`,
    )
    .action(async (flags: Flags) => {
      const admin = await adminOrExit(flags, terminal)
      const { outputs } = await admin.ask<{ outputs: readonly OutputHealth[] }>('GET', 'outputs')
      if (flags.json) terminal.out(jsonText(outputs))
      else terminal.out(outputs.length > 0 ? `${tableOf(outputs, terminal)}\n` : 'no outputs\n')
      if (outputs.some(({ breaker }) => breaker !== 'closed')) throw new Exit(1)
    })

const ERROR_LENGTH = 100

const tableOf = (outputs: readonly OutputHealth[], { colours }: Terminal): string => {
  const { bold, red } = pc.createColors(colours.out)
  return plainTable([
    ['OUTPUT', 'QUEUED', 'BREAKER', 'LAST ERROR'].map((head) => bold(head)),
    ...outputs.map(({ id, queued, breaker, lastError = '' }) => [
      id,
      String(queued),
      breaker === 'closed' ? breaker : red(breaker),
      oneLine(lastError, ERROR_LENGTH),
    ]),
  ])
}
