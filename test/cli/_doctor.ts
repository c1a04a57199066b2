/** `yarak doctor` as its users meet it. */
import type { Finding } from '../../src/doctor/index.ts'
import { yarak } from './_kit.ts'

type Options = Parameters<typeof yarak>[1]

/** What it finds, as JSON. */
export const examined = async (args: readonly string[], options?: Options): Promise<Finding[]> =>
  JSON.parse((await yarak(['doctor', ...args, '--json'], options)).out) as Finding[]

/** What is found of one thing in a group, each as its status and message. */
export const saidOf = (findings: readonly Finding[], group: string, name?: string): string[] =>
  findings
    .filter((one) => one.group === group && (name === undefined || one.name === name))
    .map(({ status, message }) => `${status}: ${message}`)
