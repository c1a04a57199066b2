/** A configuration, as the groups of checks look at it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, onTestFinished } from 'vitest'
import { builtin } from '../../src/builtin.ts'
import { withLoneIo } from '../../src/cli/lone-io.ts'
import { loadConfig, printProblems } from '../../src/config/index.ts'
import type { Patient } from '../../src/doctor/context.ts'
import type { Finding } from '../../src/doctor/finding.ts'

export const optionsOf = (config: object, env: Patient['env'] = {}) => {
  const text = JSON.stringify({ version: 1, ...config })
  const { options, problems } = loadConfig({ file: 'yarak.yaml', text, env, plugins: builtin })
  if (!options) throw new Error(printProblems(problems))
  return options
}

/** Runs checks on a configuration. */
export const onPatient = <T>(
  config: object,
  look: (patient: Patient) => Promise<T>,
  more: Partial<Patient> = {},
): Promise<T> => {
  const { env = {} } = more
  const options = optionsOf(config, env)
  const signal = new AbortController().signal
  return withLoneIo(options, env, (lone) =>
    look({ options, env, timeout: 5_000, signal, running: undefined, lone, ...more }),
  )
}

/** Each as `status name: message`. */
export const lines = (findings: readonly Finding[]): string[] =>
  findings.map(({ status, name, message }) => `${status} ${name}: ${message}`)

/** A server of HTTP until the end of the test; gives its address. */
export const answering = async (answer: RequestListener): Promise<string> => {
  const server = createServer(answer)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

/** A folder for each test. */
export const folder = () => {
  let path = ''
  beforeEach(() => void (path = mkdtempSync(join(tmpdir(), 'yarak-doctor-'))))
  afterEach(() => rmSync(path, { recursive: true, force: true }))
  const at = (name: string): string => join(path, name)
  return {
    at,
    write(name: string, text: string): string {
      writeFileSync(at(name), text)
      return at(name)
    },
  }
}
