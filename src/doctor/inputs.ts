/** Whether the inputs can bring events. */
import { accessSync, constants, existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { whyNot } from '../config/files.ts'
import { isGlob, systemFiles } from '../config/files.ts'
import { addressText } from '../config/listen.ts'
import { inputOf } from '../options.ts'
import type { Input, Use } from '../plugin.ts'
import { type KafkaConnection, type KafkaDriver, kafkajsDriver, patternOf } from '../resources/kafka.ts'
import type { Findings, Patient } from './context.ts'
import { about, type Finding, words } from './finding.ts'
import { within } from './within.ts'

const { ok, warn, fail, skip } = about('inputs')

/** @param driver of Kafka; a test gives one of its own */
export const inputFindings = async (patient: Patient, driver: KafkaDriver = kafkajsDriver): Promise<Findings> => {
  const all = patient.options.inputs.map(inputOf).map(async (use): Promise<Findings> => {
    if (use.plugin.type === 'kafka') return kafkaFindings(use, patient, driver)
    if (use.plugin.type === 'file') return fileFindings(use)
    if (use.plugin.routes) return [routeFinding(use, patient)]
    return [skip(use.id, 'nothing of it can be looked at')]
  })
  return (await Promise.all(all)).flat()
}

// ── Kafka ───────────────────────────────────────────────────────────────────────────────────────────────────────────

type KafkaSettings = KafkaConnection & { readonly topics: readonly string[]; readonly groupId: string }

const kafkaFindings = async ({ id, config }: Use<Input>, patient: Patient, driver: KafkaDriver): Promise<Findings> => {
  const settings = config as KafkaSettings
  const { timeout, signal, lone } = patient
  const client = driver(settings, lone.io(id))
  try {
    const names = await within(timeout, () => client.topics(), signal)
    const there = names.filter((name) => settings.topics.some((one) => isMeant(one, name)))
    const missing = settings.topics.filter((one) => !names.some((name) => isMeant(one, name)))
    const first = missing.length > 0 ? missingFinding(id, missing) : ok(id, `the brokers have ${there.join(', ')}`)
    if (there.length === 0) return [first]
    return [first, await within(timeout, () => lagFinding(id, settings, there, client), signal)]
  } catch (error) {
    return [fail(id, words(error), 'look at brokers, tls and sasl of the input, and at the network between')]
  }
}

const isMeant = (topic: string, name: string): boolean => patternOf(topic)?.test(name) ?? topic === name

const missingFinding = (id: string, missing: readonly string[]): Finding =>
  fail(
    id,
    `the brokers have no topic ${missing.join(', ')}, or do not show it`,
    `kafka-topics.sh --create --topic ${missing[0] ?? ''}, or allow the account to describe it`,
  )

const lagFinding = async (
  id: string,
  { groupId }: KafkaSettings,
  topics: readonly string[],
  client: ReturnType<KafkaDriver>,
): Promise<Finding> => {
  const name = `${id} group`
  if (!client.committed) return skip(name, 'this driver does not tell what a group has committed')
  const [ends, committed] = await Promise.all([client.ends(topics), client.committed(groupId, topics)])
  if (committed.length === 0) return ok(name, `${groupId} has committed nothing yet: it begins as from: says`)
  const end = (topic: string, partition: number): number =>
    ends.find((one) => one.topic === topic && one.partition === partition)?.offset ?? 0
  const lag = committed.reduce((sum, one) => sum + Math.max(0, end(one.topic, one.partition) - one.offset), 0)
  return lag <= 10_000
    ? ok(name, `${groupId} is ${lag} records behind`)
    : warn(name, `${groupId} is ${lag} records behind`, 'run more processes of the group, or answer fewer events')
}

// ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const fileFindings = ({ id, config }: Use<Input>): Findings => {
  const { path } = config as { readonly path: string | readonly string[] }
  return [path].flat().map((one) => (isGlob(one) ? globFinding(id, one) : pathFinding(id, one)))
}

const globFinding = (id: string, pattern: string): Finding => {
  const found = systemFiles().list(pattern)
  if (found.length === 0)
    return warn(id, `${pattern} matches no file yet`, "see file_output.filename in Falco's falco.yaml")
  const wrong = found.map((path) => unreadable(path)).find((why) => why !== undefined)
  return wrong === undefined ? ok(id, `${pattern} matches ${found.length}, all readable`) : fail(id, wrong, RIGHTS)
}

const RIGHTS = 'run as a user of the group that may read it, or chmod g+r'

const pathFinding = (id: string, path: string): Finding => {
  const wrong = unreadable(path)
  if (wrong === undefined) return ok(id, `${path} can be read`)
  if (existsSync(path)) return fail(id, wrong, RIGHTS)
  const folder = existsSync(dirname(path)) ? '' : ', nor its folder'
  return warn(
    id,
    `${path} is not there yet${folder}: it is waited for`,
    "see file_output.filename in Falco's falco.yaml",
  )
}

const unreadable = (path: string): string | undefined => {
  try {
    return void accessSync(path, constants.R_OK)
  } catch (error) {
    return `cannot read ${path}: ${whyNot(error)}`
  }
}

// ── HTTP ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const routeFinding = ({ id, config }: Use<Input>, { options }: Patient): Finding => {
  const { path } = (config ?? {}) as { readonly path?: unknown }
  const places = options.listen.filter(({ inputs }) => inputs?.includes(id) ?? true)
  const at = places.map((one) => `${'path' in one ? '' : one.tls ? 'https://' : 'http://'}${addressText(one)}`)
  return places.length > 0
    ? ok(id, `takes events at ${at.map((one) => `${one}${typeof path === 'string' ? path : ''}`).join(', ')}`)
    : fail(id, 'no listener serves it', `name it in inputs of one of listen:, or add a listener`)
}
