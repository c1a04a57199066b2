/**
 * Variables as Falco Talon knows them: `PROC_NAME` for the field `proc.name`. Talon pastes the values into the text; here
 * a script gets them as arguments, so that no shell reads them.
 */
import type { FalcoEvent } from '../../plugin.ts'

const NAMED = /\$(?:\{([A-Z_][A-Z0-9_]*)\}|([A-Z_][A-Z0-9_]*))/g

/** Falco's classes of fields: a field of another name could stand for a variable that steers the shell. */
const FIELD =
  /^(?:evt|proc|thread|user|group|fd|fdlist|fs|container|k8s|k8smeta|ka|jevt|syslog|ct|aws|gcp|azure|okta|github)\./

type Values = Readonly<Record<string, string>>

/** The values of the variables that a text names, in order; those that no field has are left out. */
export const variablesIn = (text: string, event: FalcoEvent): Values => {
  const named = new Set([...text.matchAll(NAMED)].map(([, braced, bare]) => braced ?? bare ?? ''))
  const { priority, rule, source, hostname = '', tags } = event
  const known: [string, unknown][] = Object.entries(event.fields)
    .filter(([name]) => FIELD.test(name))
    .map(([name, value]) => [variableName(name), value])
  const all = [...known, ...Object.entries({ PRIORITY: priority, RULE: rule, SOURCE: source, HOSTNAME: hostname })]
  const values = new Map([...all, ['TAGS', tags.join(',')] as const])
  return Object.fromEntries([...values].filter(([name]) => named.has(name)).map(([name, one]) => [name, textOf(one)]))
}

/** @example variableName('proc.aname[2]') // 'PROC_ANAME_2' */
const variableName = (field: string): string => field.toUpperCase().replaceAll(/[.[]/g, '_').replaceAll(']', '')

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : typeof value === 'bigint' ? value.toString() : (JSON.stringify(value ?? '') ?? '')

/** A script that first takes its variables from its first arguments, and the arguments for it. */
export const withVariables = (script: string, values: Values, args: readonly string[]) => {
  const names = Object.keys(values)
  if (names.length === 0) return { script, args }
  const assign = names.map((name, i) => `${name}=\${${i + 1}}`).join('; ')
  return { script: `${assign}; shift ${names.length}\n${script}`, args: [...Object.values(values), ...args] }
}

/** A text with its variables filled in, where nothing but one argument becomes of it. */
export const filled = (text: string, values: Values): string =>
  text.replaceAll(NAMED, (_all, braced?: string, bare?: string) => values[braced ?? bare ?? ''] ?? '')
