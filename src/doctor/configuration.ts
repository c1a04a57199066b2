/** Whether the configuration is one, and what is worth knowing of it. */
import { accessSync, constants, existsSync, statSync, statfsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { ConfigOptions } from '../config/index.ts'
import { whyNot } from '../config/files.ts'
import type { ConfigProblem } from '../config/problems.ts'
import type { Findings, Loaded } from './context.ts'
import { about, type Finding } from './finding.ts'
import { plural } from '../cli/terminal.ts'
import { bytesText } from '../text-width.ts'

const { ok, warn, fail, skip } = about('configuration')

export const configurationFindings = ({ options, problems, document }: Loaded): Findings => [
  loadFinding(document.file, options, problems),
  ...secretFindings(document),
  ...(options ? [modeFinding(options), ...emptyFindings(options), ...dataFindings(options)] : []),
]

const placeOf = ({ file, line, column }: ConfigProblem): string => `${file}:${line}:${column}`

const loadFinding = (file: string, options: ConfigOptions | undefined, problems: readonly ConfigProblem[]): Finding => {
  const errors = problems.filter(({ severity }) => severity === 'error')
  const [first] = options ? problems : errors
  const remedy = `yarak check --config ${file}`
  if (!options && first)
    return fail('load', `${plural(errors.length, 'error')}, the first: ${first.message}`, remedy, placeOf(first))
  if (first)
    return warn('load', `${plural(problems.length, 'warning')}, the first: ${first.message}`, remedy, placeOf(first))
  const { inputs = [], rules = [], outputs = [] } = options ?? {}
  const counts = [plural(inputs.length, 'input'), plural(rules.length, 'rule'), plural(outputs.length, 'output')]
  return ok('load', `${file} has ${counts.join(', ')}`)
}

/** What stands in the file itself, which is not a reference, and anybody may read. */
const secretFindings = ({ file, text, secrets }: Loaded['document']): Finding[] => {
  if (!existsSync(file)) return []
  const mode = statSync(file).mode & 0o777
  const plain = [...secrets].filter(({ start, end }) => !/\$\{(?:env|file):/.test(text.slice(start, end)))
  if (plain.length === 0) return [ok('secrets', 'none stands in the file itself')]
  if ((mode & 0o004) === 0) return [ok('secrets', 'those in the file can be read by its owner and group alone')]
  const octal = mode.toString(8).padStart(4, '0')
  const message = `${plural(plain.length, 'secret')} in plain text, and everybody may read the file (mode ${octal})`
  return [warn('secrets', message, `chmod 600 ${file}, or write \${env:NAME} or \${file:/path} in their place`, file)]
}

const modeFinding = ({ mode }: ConfigOptions): Finding =>
  mode === 'observe'
    ? ok('mode', 'observe: what steps would do is shown and nothing is changed; `mode: enforce` does it')
    : ok('mode', 'enforce: steps do what they say')

const emptyFindings = ({ inputs, rules, outputs }: ConfigOptions): Finding[] => [
  ...(inputs.length > 0 ? [] : [warn('inputs', 'there are none, so no event comes in', 'add one below inputs:')]),
  ...(rules.length > 0 ? [] : [warn('rules', 'there are none, so no event is answered', 'name files below rules:')]),
  ...(outputs.length > 0 ? [] : [warn('outputs', 'there are none, so nobody is told', 'add one below outputs:')]),
]

/** `statfs` of Linux: file systems that a restart of the machine, or of the container, loses. */
const FLEETING: ReadonlyMap<number, string> = new Map([
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
  [0x794c7630, 'overlay'],
])

const dataFindings = ({ dataDir, journal }: ConfigOptions): Finding[] => {
  const folder = nearest(dataDir)
  const wrong = unwritable(folder)
  if (wrong !== undefined) {
    const remedy = 'set dataDir to a folder that the account may write'
    return [fail('dataDir', `${dataDir} cannot be written: ${wrong}`, remedy)]
  }
  if (!journal.enabled)
    return [skip('dataDir', `${dataDir} can be written; nothing is kept there, as the journal is off`)]
  const { type, bavail, bsize } = statfsSync(folder)
  const kind = FLEETING.get(type)
  return [
    kind === undefined
      ? ok('dataDir', `${dataDir} can be written`)
      : warn('dataDir', `${dataDir} is on ${kind}: a restart loses the journal`, 'set dataDir to a volume that lasts'),
    spaceFinding(dataDir, bavail * bsize, journal.maxSize),
  ]
}

const spaceFinding = (dataDir: string, free: number, wanted: number): Finding =>
  free >= wanted
    ? ok('space', `${bytesText(free)} are free for a journal of at most ${bytesText(wanted)}`)
    : warn(
        'space',
        `${bytesText(free)} are free below ${dataDir}, and the journal may take ${bytesText(wanted)}`,
        'make room, or set journal.maxSize to less',
      )

const unwritable = (folder: string): string | undefined => {
  try {
    accessSync(folder, constants.W_OK)
    return statSync(folder).isDirectory() ? undefined : `${folder} is no folder`
  } catch (error) {
    return whyNot(error)
  }
}

/** The folder, or the first above it that is there. */
const nearest = (path: string): string => {
  const full = resolve(path)
  return existsSync(full) || dirname(full) === full ? full : nearest(dirname(full))
}
