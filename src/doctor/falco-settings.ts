/** Settings of Falco that lose or spoil events, one by one. Pure. */
import type { FalcoFile } from './falco-file.ts'
import { about, type Finding } from './finding.ts'

const { ok } = about('falco')

/** What is wrong with a value, if anything. */
interface Setting {
  readonly path: string
  readonly isBad: (value: unknown) => boolean
  readonly status: 'warn' | 'fail'
  readonly message: string
  readonly remedy: string
}

const is =
  (...bad: readonly unknown[]) =>
  (value: unknown): boolean =>
    bad.includes(value)

const below =
  (least: number, from = 0) =>
  (value: unknown): boolean =>
    typeof value === 'number' && value >= from && value < least

/** Of a list, or of one word. */
const has =
  (...words: readonly string[]) =>
  (value: unknown): boolean =>
    [value].flat().some((one) => words.includes(one as string))

const above =
  (most: number) =>
  (value: unknown): boolean =>
    typeof value === 'number' && value > most

/**
 * A setting that is not there has the default of Falco's program, which is not always what its falco.yaml has.
 * @see https://github.com/falcosecurity/falco/blob/master/falco.yaml
 * @see https://github.com/falcosecurity/falco/blob/master/userspace/falco/configuration.cpp
 */
const SETTINGS: readonly Setting[] = [
  {
    ...{ path: 'json_output', isBad: (value) => value !== true, status: 'fail', remedy: 'json_output: true' },
    message: 'alerts are text, and no event can be read from them',
  },
  {
    ...{ path: 'json_include_output_fields_property', isBad: is(false), status: 'fail' },
    message: 'alerts have no fields, so that rules find neither target nor process',
    remedy: 'json_include_output_fields_property: true',
  },
  {
    ...{ path: 'json_include_output_property', isBad: is(false), status: 'warn' },
    message: 'alerts have no text, so that messages have none to show',
    remedy: 'json_include_output_property: true',
  },
  {
    ...{ path: 'json_include_tags_property', isBad: is(false), status: 'warn' },
    message: 'alerts have no tags, so that what selects by tags never matches',
    remedy: 'json_include_tags_property: true',
  },
  {
    ...{ path: 'buffered_outputs', isBad: is(true), status: 'warn', remedy: 'buffered_outputs: false' },
    message: 'alerts wait in a buffer until it is full, and so are answered late',
  },
  {
    ...{ path: 'outputs_queue.capacity', isBad: below(1_000, 1), status: 'warn' },
    message: 'so few alerts may wait: in a burst the others are dropped',
    remedy: 'outputs_queue: {capacity: 0}, which has no bound, or some 10000',
  },
  {
    ...{ path: 'output_timeout', isBad: below(1_000), status: 'warn', remedy: 'output_timeout: 2000' },
    message: 'Falco gives an output up so soon that a short stall counts as one that is stuck',
  },
  {
    ...{ path: 'outputs.rate', isBad: above(0), status: 'warn', remedy: 'outputs: {rate: 0}, or Falco 0.37 or newer' },
    message: 'before 0.37 Falco passes on so many alerts a second, after a burst of max_burst, and drops the others',
  },
  {
    ...{ path: 'rule_matching', isBad: (value) => value !== 'all', status: 'warn', remedy: 'rule_matching: all' },
    message: 'of several rules that an event matches only the first fires, and ours never see the others',
  },
  {
    ...{ path: 'syscall_event_drops.actions', isBad: (value) => !has('log', 'alert', 'exit')(value), status: 'warn' },
    message: 'nobody is told when the kernel drops events',
    remedy: 'syscall_event_drops: {actions: [log, alert]}',
  },
  {
    ...{ path: 'syscall_event_drops.actions', isBad: has('exit'), status: 'warn' },
    message: 'Falco stops when the kernel drops events, which a flood can bring about',
    remedy: 'syscall_event_drops: {actions: [log, alert]}',
  },
  {
    ...{ path: 'syscall_event_drops.threshold', isBad: (value) => Number(value) >= 1, status: 'warn' },
    message: 'nobody is told when the kernel drops events, unless it drops all of a second',
    remedy: 'syscall_event_drops: {threshold: 0.1}',
  },
  {
    ...{ path: 'syscall_event_drops.simulate_drops', isBad: is(true), status: 'fail' },
    message: 'Falco makes believe that events are dropped',
    remedy: 'syscall_event_drops: {simulate_drops: false}',
  },
  {
    ...{ path: 'log_level', isBad: is('emergency', 'alert', 'critical'), status: 'warn', remedy: 'log_level: info' },
    message: 'an alert that could not be posted is not even logged',
  },
  {
    ...{ path: 'http_output.echo', isBad: is(true), status: 'warn', remedy: 'http_output: {echo: false}' },
    message: 'answers are printed between the alerts on standard output, and spoil what reads those',
  },
  {
    ...{ path: 'http_output.max_consecutive_timeouts', isBad: is(0), status: 'warn' },
    message: 'a post that times out is not tried again, and its alert is lost',
    remedy: 'http_output: {max_consecutive_timeouts: 5}',
  },
  {
    ...{ path: 'program_output.enabled', isBad: is(true), status: 'warn' },
    message: 'a program takes the alerts; what it does with those that it cannot send is not known here',
    remedy: 'http_output posts them without one',
  },
]

/** Of the driver: of the one that `engine.kind` names, or, before 0.38, of the only one. */
const driverSettings = (falco: FalcoFile): readonly Setting[] => {
  const named = falco.get('engine.kind')
  const kind = typeof named === 'string' ? named : 'kmod'
  const [before, right] =
    falco.get('engine') === undefined
      ? ['syscall_', (text: string) => `syscall_${text}`]
      : [`engine.${kind}.`, (text: string) => `engine: {${kind}: {${text}}}`]
  return [
    {
      ...{
        path: `${before}drop_failed_exit`,
        isBad: is(true),
        status: 'warn',
        remedy: right('drop_failed_exit: false'),
      },
      message: 'system calls that failed are not seen: rules about what somebody tried stay silent',
    },
    {
      ...{ path: `${before}buf_size_preset`, isBad: below(4, 1), status: 'warn', remedy: right('buf_size_preset: 4') },
      message: 'so small a buffer is soon full, and the kernel drops events; 4 is what Falco has by itself',
    },
  ]
}

export const settingFindings = (falco: FalcoFile): readonly Finding[] => [
  ...[...SETTINGS, ...driverSettings(falco)]
    .filter(({ path, isBad }) => isBad(falco.get(path)))
    .map(({ path, status, message, remedy }) => about('falco')[status](path, message, remedy, falco.place(path))),
  ...syscallFindings(falco),
  ...noteFindings(falco),
]

const syscallFindings = (falco: FalcoFile): Finding[] => {
  const custom = falco.get('base_syscalls.custom_set')
  if (!Array.isArray(custom) || custom.length === 0 || falco.get('base_syscalls.repair') === true) return []
  const message = 'only these system calls are watched, and rules about others stay silent'
  const place = falco.place('base_syscalls.custom_set')
  return [about('falco').warn('base_syscalls.custom_set', message, 'base_syscalls: {repair: true}', place)]
}

/** What may look wrong and is not. */
const noteFindings = (falco: FalcoFile): Finding[] => [
  ...(falco.get('outputs_queue.capacity') === 0
    ? [ok('outputs_queue.capacity', 'without bound: nothing is dropped, and a Falco that cannot send takes memory')]
    : []),
  ...(falco.get('time_format_iso_8601') === false
    ? [ok('time_format_iso_8601', 'only the text of alerts has local time; their member time is ISO 8601 anyway')]
    : []),
]
