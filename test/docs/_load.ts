/** A YAML block of a page, loaded as what it is. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { builtin } from '../../src/builtin.ts'
import { loadConfig, systemFiles } from '../../src/config/index.ts'
import { falcoFindings, findFalco } from '../../src/doctor/falco.ts'

type Kind = 'configuration' | 'rules' | 'steps' | 'cases' | 'falco'

/** What the YAML of a block is part of. */
export const kindOf = (value: unknown): Kind => {
  if (Array.isArray(value)) return value.every(isItem) ? 'rules' : 'steps'
  const keys = Object.keys(value as object)
  if (keys.includes('cases')) return 'cases'
  if (keys.includes('falco') || keys.includes('http_output') || keys.includes('file_output')) return 'falco'
  return keys.length === 1 && keys[0] === 'steps' ? 'steps' : 'configuration'
}

const isItem = (item: object): boolean =>
  ['rule', 'list', 'macro'].some((key) => key in item) || ('action' in item && 'steps' in item)

/** Whatever a value refers to is set, to something that fits most settings. */
const SECRET = 'https://example.com/secret'
const ENV = new Proxy<Record<string, string>>(
  {},
  {
    get: () => SECRET,
    has: () => true,
    getOwnPropertyDescriptor: () => ({ value: SECRET, configurable: true, enumerable: true }),
  },
)
const FILES = {
  ...systemFiles(),
  read: (path: string) => (path.startsWith('/run/') ? SECRET : systemFiles().read(path)),
}

/** What is wrong with a configuration, or a part of one, in one text; empty when nothing is. */
const faultsOf = (text: string, file: string): string =>
  loadConfig({ file, text, env: ENV, plugins: builtin, files: FILES, anyNotify: true })
    .problems.filter(({ severity }) => severity === 'error')
    .map(({ line, message }) => `${line}: ${message}`)
    .join('\n')

const configurationOf = (text: string): string => {
  const value = parse(text) as object
  const missing = {
    ...(!('version' in value) && { version: 1 }),
    ...(!('inputs' in value) && { inputs: { http: {} } }),
  }
  return Object.keys(missing).length === 0 ? text : `${stringify(missing)}${text}`
}

const rulesOf = (rules: unknown): string => stringify({ version: 1, inputs: { http: {} }, rules })

const stepsOf = (value: unknown): unknown => {
  const steps: unknown = Array.isArray(value) ? value : (value as { steps: unknown }).steps
  return [{ rule: 'All', condition: 'priority >= debug', steps }]
}

/** What `yarak doctor` finds to fail in a part of Falco's configuration, or of the values of its chart. */
const falcoFaults = (value: object): string => {
  const folder = mkdtempSync(join(tmpdir(), 'yarak-docs-'))
  try {
    const file = join(folder, 'falco.yaml')
    writeFileSync(file, stringify('falco' in value ? value.falco : value))
    return falcoFindings(findFalco(file, {}), undefined)
      .filter(({ status }) => status === 'fail')
      .map(({ name, message }) => `${name}: ${message}`)
      .join('\n')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** @returns what is wrong with the block; empty when it loads */
export const faultsIn = (text: string, page: string): string => {
  const value = parse(text) as object
  const load: Record<Kind, () => string> = {
    configuration: () => faultsOf(configurationOf(text), page),
    rules: () => faultsOf(rulesOf(value), page),
    steps: () => faultsOf(rulesOf(stepsOf(value)), page),
    cases: () => '', // they are run by the tutorial that they stand in
    falco: () => falcoFaults(value),
  }
  return load[kindOf(value)]()
}
