import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { whyNot } from '../config/files.ts'
import { messageOf, YarakError } from '../errors.ts'
import { type FalcoEvent, parseEvent, toJson } from '../event.ts'
import { createExplainer } from '../rules-tools/explain.ts'
import { explainText } from '../rules-tools/explain-text.ts'
import { configOption, repeatable } from './options.ts'
import { loadRules, type RuleFlags } from './rules-flags.ts'
import type { Terminal } from './terminal.ts'
import { printable } from './text.ts'

interface Flags extends RuleFlags {
  readonly event: string
  readonly json?: boolean
}

export const explainCommand = (terminal: Terminal): Command => {
  const command = new Command('explain')
    .description('Tell of an event which rules it matches, why the others do not, and what the steps would do.')
    .requiredOption('-e, --event <file>', 'the alert, or one alert a line; - is standard input')
    .addOption(configOption())
    .option('--json', 'print {event, target, rules: [{rule, matched, why, steps}], permissions} for each event')
    .addHelpText(
      'after',
      `
Examples:
  yarak explain -e alert.json --rules rules.yaml
  yarak explain -e alert.json --config yarak.yaml --json
  kubectl logs -n falco ds/falco | grep -m1 '^{' | yarak explain -e -

Nothing is run and no cluster is asked: what the event says of its target is believed, and so is its sender.
Exits with 0 whether or not a rule matches.`,
    )
    .action(async (flags: Flags) => {
      const explain = createExplainer(await loadRules(flags, terminal))
      const events = readEvents(flags.event)
      for (const event of events) {
        const explained = await explain(event)
        const text = flags.json
          ? `${toJson(explained, events.length > 1 ? undefined : 2)}\n`
          : `${explainText(explained)}${events.length > 1 ? '\n' : ''}`
        terminal.out(printable(text))
      }
    })
  return repeatable(command, '-r, --rules <file>', 'rules file (repeatable)')
}

const readEvents = (file: string): FalcoEvent[] => {
  const text = readText(file)
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const origin = { id: '', input: 'explain', authenticated: 'file' }
  if (lines.length === 0) throw new YarakError('config', `${file} holds no event`)
  try {
    return [parseEvent(text, origin)]
  } catch (whole) {
    if (lines.length === 1 || !isJson(lines[0] ?? '')) throw named(file, whole)
  }
  return lines.map((line, i) => {
    try {
      return parseEvent(line, origin)
    } catch (error) {
      throw named(`${file}, event ${i + 1}`, error)
    }
  })
}

const named = (place: string, error: unknown): YarakError => new YarakError('invalid', `${place}: ${messageOf(error)}`)

const isJson = (line: string): boolean => {
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}

const readText = (file: string): string => {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    throw new YarakError('config', `cannot read ${file}: ${whyNot(error)}`)
  }
}
