import { Command } from 'commander'
import { importFalcosidekick } from './import-falcosidekick.ts'
import { importTalon } from './import-talon.ts'
import type { Terminal } from './terminal.ts'

export const importCommand = (terminal: Terminal): Command =>
  new Command('import')
    .description('Translate rules and configuration of other tools.')
    .addCommand(importFalcosidekick(terminal))
    .addCommand(importTalon(terminal))
