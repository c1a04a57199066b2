import { Argument, Command } from 'commander'
import { LOG_AREAS } from '../log-area.ts'
import type { LogLevels } from '../log-levels.ts'
import { adminOrExit, placeOptions, type PlaceFlags } from './admin-client.ts'
import { plainTable } from './table.ts'
import { Exit, type Terminal } from './terminal.ts'
import { jsonText, printable } from './text.ts'

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent']

/** Takes a change back. */
const START = 'default'

interface Flags extends PlaceFlags {
  readonly json?: boolean
}

export const logCommand = (terminal: Terminal): Command =>
  new Command('log').description('Change what a running gateway logs.').addCommand(levelCommand(terminal))

const levelCommand = (terminal: Terminal): Command =>
  placeOptions(new Command('level'))
    .description('Show the levels of the log, or change one until the gateway ends.')
    .addArgument(new Argument('[area]', 'an area of the engine, or the id or type of a plugin; without it, all others'))
    .addArgument(new Argument('[level]', 'debug, info, warn, error, silent; default takes a change back'))
    .option('--json', 'as JSON: {level, levels}')
    .addHelpText(
      'after',
      `
Areas: ${LOG_AREAS.join(', ')}.

Examples:
  yarak log level                       show them
  yarak log level debug                 everything that has no level of its own
  yarak log level kubernetes debug      all actions of that type
  yarak log level http/falco warn       one input
  yarak log level kubernetes default    as at the start`,
    )
    .action(async (first: string | undefined, second: string | undefined, flags: Flags) => {
      const change = changeOf(first, second, terminal)
      const admin = await adminOrExit(flags, terminal)
      const now = await (change ? admin.ask<LogLevels>('PUT', 'log', change) : admin.ask<LogLevels>('GET', 'log'))
      terminal.out(flags.json ? jsonText(now) : `${tableOf(now)}\n`)
    })

/** What is to be changed; undefined: nothing. */
const changeOf = (first: string | undefined, second: string | undefined, { err }: Terminal): object | undefined => {
  if (first === undefined) return undefined
  const [area, level] = second === undefined ? [undefined, first] : [first, second]
  if (!LEVELS.includes(level) && level !== START) {
    err(
      `yarak: ${printable(level)} is no level: ${LEVELS.join(', ')}, or ${START}\n(yarak log level --help shows how)\n`,
    )
    throw new Exit(2)
  }
  return { ...(area !== undefined && { area }), level: level === START ? null : level }
}

const tableOf = ({ level, levels }: LogLevels): string =>
  plainTable([...Object.entries(levels), ['all others', level]].map((row) => row.map(printable)))
