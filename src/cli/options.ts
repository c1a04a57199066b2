/** Options that several commands have. */
import { type Command, Option } from 'commander'

export const configOption = (): Option =>
  new Option('-c, --config <file>', 'configuration file (default: ./yarak.yaml, /etc/yarak/yarak.yaml, else the demo)')

export const falcosidekickOption = (): Option =>
  new Option(
    '--falcosidekick [file]',
    "Falcosidekick's configuration: its file and its environment variables, or these alone",
  )

export const pluginsOption = (): Option =>
  new Option('-c, --config <file>', 'with what the `plugins` of this configuration declare')

export const modeOption = (): Option =>
  new Option('--mode <mode>', 'observe shows what would be done, enforce does it').choices(['observe', 'enforce'])

/** Adds a repeatable option. */
export const repeatable = (command: Command, flags: string, description: string): Command =>
  command.option(flags, description, (value: string, all: readonly string[] = []) => [...all, value])
