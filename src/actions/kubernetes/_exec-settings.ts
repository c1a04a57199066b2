/** Settings that the actions which run commands share, and what is checked of values before they become arguments. */
import { duration, YarakError, z } from '../../plugin.ts'
import { AS_WRITTEN, fixed } from '../_fixed.ts'
import { isNamespace } from './_names.ts'

/** What running a command in a container needs; newer API servers ask for both verbs. */
export const execPermission = { apiGroups: [''], resources: ['pods/exec'], verbs: ['get', 'create'] }

export const SH = '/bin/sh'

export const container = z
  .string()
  .refine(isNamespace, 'must be the name of a container')
  .optional()
  .describe('The container. Default: that of the event, else the default one of the pod.')

export const changes = z
  .enum(['nothing', 'reversible', 'destructive'])
  .default('destructive')
  .describe(
    'What it does to the world, which decides whether guards and observe mode hold it back. Default destructive.',
  )

export const limit = duration()
  .refine((ms) => ms >= 1_000 && ms <= 3_600_000, 'must be between 1s and 1h')
  .prefault('20s')
  .describe('When the command is ended. Default 20s.')

export const shell = z.union([
  z.literal(true).transform(() => SH),
  z.string().regex(/^[A-Za-z0-9_/][A-Za-z0-9_./+-]*$/, 'must be the path or the name of a shell'),
])

export const args = z
  .array(z.string())
  .default([])
  .describe('Values for the script: `"$1"`, `"$2"` and so on. 4 KiB each, 16 KiB together.')

export const stdin = z.string().optional().describe('Written to its standard input, which is then closed. Any length.')

export const eventVariables = z
  .boolean()
  .default(false)
  .describe('Set the variables that Falco Talon knows, e.g. `$PROC_NAME` for `proc.name`, where named. Default false.')

/** Milliseconds of a capture: whole seconds as in Falco Talon, or a duration. */
export const captureTime = (fallback: number, most: number) =>
  z
    .union([z.int().transform((seconds) => seconds * 1_000), duration()])
    .refine((ms) => ms >= 1_000 && ms <= most * 1_000, `must be between 1s and ${most}s`)
    .prefault(fallback)
    .describe(`How long to capture: seconds, or a duration such as 5s. Default ${fallback}s, at most ${most}s.`)

const IMAGE = /^[a-z0-9][a-z0-9._:/-]*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/

/** An image, which no event may choose. */
export const image = z.string().max(500).regex(IMAGE, 'must be an image such as registry.example/tools:1@sha256:...')

const INTERPRETER =
  /^(?:(?:ba|da|a|z|k|mk|c|tc|fi)?sh|busybox|toybox|env|xargs|sed|[gmn]?awk|nsenter|chroot|(?:python|perl|ruby|node|php|lua)[\d.]*)$/

interface WithCommand {
  readonly command?: unknown
}

/** For `.refine`: what an interpreter reads as a program is fixed text. */
export const plainArguments = [
  (settings: unknown) => {
    const { command } = (settings ?? {}) as WithCommand
    const program = Array.isArray(command) ? String(command[0]).replace(/^.*\//, '') : ''
    return !INTERPRETER.test(program) || fixed('command')[0](settings)
  },
  {
    message: 'command is for an interpreter, and an event may not write its program: give values by `args` or `stdin`',
    when: () => true,
    params: AS_WRITTEN,
  },
] as const

const MOST = { each: 4 * 1024, all: 16 * 1024 }

/**
 * Values that become arguments.
 * @throws YarakError `refused` with the reason `too-large` or `bad-argument`
 */
export const checkValues = (values: readonly string[]): readonly string[] => {
  const sizes = values.map((one) => Buffer.byteLength(one))
  if (Math.max(0, ...sizes) > MOST.each || sizes.reduce((sum, one) => sum + one, 0) > MOST.all) {
    throw refused('too-large', 'a value is over 4 KiB, or all are over 16 KiB together: only `stdin` takes that much')
  }
  if (values.some((one) => one.includes('\0'))) throw refused('bad-argument', 'a value holds a NUL character')
  return values
}

const refused = (reason: string, message: string): YarakError =>
  new YarakError('refused', message, { permanent: true, reason })

/**
 * A path of the container.
 * @throws YarakError `refused` with the reason `bad-path` when it is not absolute
 */
export const absolute = (path: string): string => {
  if (path.startsWith('/')) return path
  throw refused('bad-path', 'the path of a file in a container must begin with /')
}
