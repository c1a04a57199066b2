import { Command } from 'commander'
import { findPlace, type Place, placeOptions, type PlaceFlags } from './dead-letters.ts'
import { plainTable } from './table.ts'
import type { Terminal } from './terminal.ts'
import { bytesText } from '../text-width.ts'
import { jsonText, printable, timeText } from './text.ts'

export const journalCommand = (terminal: Terminal): Command =>
  new Command('journal').description('Look at what is kept over a crash.').addCommand(
    placeOptions(new Command('stats'))
      .description('Tell how much there is: unfinished events, waiting notices, history, dead letters.')
      .option('--json', 'as JSON')
      .addHelpText(
        'after',
        `
Asks the running gateway; when none answers, reads the file that it left.

Examples:
  yarak journal stats
  yarak journal stats --config /etc/yarak/yarak.yaml --json
  yarak journal stats --socket /run/yarak/admin.sock`,
      )
      .action(async (flags: PlaceFlags & { json?: boolean }) => {
        const place = await findPlace(flags, terminal)
        const stats = await place.stats()
        terminal.out(
          flags.json
            ? jsonText({ [place.running ? 'gateway' : 'file']: place.name, ...stats })
            : `${plainTable(rowsOf(place, stats))}\n`,
        )
      }),
  )

const rowsOf = ({ name, running }: Place, stats: Awaited<ReturnType<Place['stats']>>): string[][] => {
  const { mode, reason, movedAside, size, maxSize, full, unsettled, oldest, notices, responses, deadLetters } = stats
  const waiting = Object.entries(notices).map(([output, number]) => `${output} ${number}`)
  return [
    [running ? 'gateway' : 'file', name],
    ...(mode ? [['state', `${mode}${full ? ', full' : ''}${reason === undefined ? '' : `: ${reason}`}`]] : []),
    ...(movedAside === undefined ? [] : [['moved aside', movedAside]]),
    ['size', `${bytesText(size)}${maxSize ? ` of ${bytesText(maxSize)}` : ''}`],
    ['unfinished events', `${unsettled}${oldest === undefined ? '' : `, the oldest of ${timeText(oldest)} UTC`}`],
    ['waiting notices', waiting.length > 0 ? waiting.join(', ') : '0'],
    ['responses', `${responses}`],
    ['dead letters', `${deadLetters}`],
  ].map((row) => row.map(printable))
}
