/** A Dockerfile and its .dockerignore, as far as ours go: what each stage does, and what is sent to it. */

/** One line of a stage. */
export interface Instruction {
  readonly name: string
  readonly flags: Readonly<Record<string, string>>
  /** What stands after the name and the flags. */
  readonly text: string
  /** The same, where it is a JSON list. */
  readonly list?: readonly string[]
}

export interface Stage {
  readonly name: string
  readonly base: string
  readonly instructions: readonly Instruction[]
}

/** A line that ends in a backslash goes on in the next one; comments are lines of their own. */
const linesOf = (text: string): string[] =>
  text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)

const instructionIn = (line: string): Instruction => {
  const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
  if (!name) throw new Error(`no instruction: ${line}`)
  const [, given = '', text = ''] = /^((?:--\S+\s+)*)(.*)$/.exec(rest) ?? []
  const flags = Object.fromEntries(
    [...given.matchAll(/--([\w-]+)=(\S+)/g)].map(([, flag = '', value = '']) => [flag, value]),
  )
  return { name, flags, text, ...(text.startsWith('[') && { list: JSON.parse(text) as string[] }) }
}

/** The stages, with the defaults of the arguments above the first of them filled into their bases. */
export const stagesIn = (text: string): Stage[] => {
  const all = linesOf(text).map(instructionIn)
  const first = all.findIndex(({ name }) => name === 'FROM')
  const defaults = Object.fromEntries(all.slice(0, first).map((one) => pairOf(one.text)))
  const starts = all.flatMap(({ name }, i) => (name === 'FROM' ? [i] : []))
  return starts.map((start, i) => {
    const [base = '', , stage = ''] = (all[start]?.text ?? '').split(/\s+/)
    return {
      name: stage,
      base: base.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => defaults[name] ?? ''),
      instructions: all.slice(start + 1, starts[i + 1]),
    }
  })
}

const pairOf = (text: string): [string, string] => {
  const at = text.indexOf('=')
  return [text.slice(0, at), text.slice(at + 1)]
}

/** All of one name in a stage, in order. */
export const allOf = ({ instructions }: Stage, name: string): Instruction[] =>
  instructions.filter((one) => one.name === name)

/** The values of ENV, ARG or LABEL in a stage, by name. */
export const valuesOf = (stage: Stage, name: 'ENV' | 'ARG' | 'LABEL'): Record<string, string> =>
  Object.fromEntries(
    allOf(stage, name).flatMap(({ text }) =>
      [...text.matchAll(/([\w.]+)=("[^"]*"|\S+)/g)].map(([, key = '', value = '']) => [
        key,
        value.replaceAll(/^"|"$/g, ''),
      ]),
    ),
  )

/** The last of one name in a stage. */
export const lastOf = (stage: Stage, name: string): Instruction => {
  const found = allOf(stage, name).at(-1)
  if (!found) throw new Error(`no ${name}`)
  return found
}

/** The command of the image: ENTRYPOINT, and after it what is given, else CMD. */
export const commandOf = (stage: Stage, args = lastOf(stage, 'CMD').list): string[] => [
  ...(lastOf(stage, 'ENTRYPOINT').list ?? []),
  ...(args ?? []),
]

/** What a COPY takes, and where to. */
export const copied = ({ text }: Instruction): { readonly from: readonly string[]; readonly to: string } => {
  const words = text.split(/\s+/)
  return { from: words.slice(0, -1), to: words.at(-1) ?? '' }
}

/**
 * The names at the top of the context that a .dockerignore lets through. It first ignores all, and then names what is
 * sent: so nothing new is ever sent unseen.
 */
export const sentBy = (dockerignore: string): string[] => {
  const [first, ...rest] = dockerignore.split('\n').filter((line) => line.trim() && !line.startsWith('#'))
  const wrong = rest.filter((line) => !/^![\w.-]+$/.test(line))
  if (first !== '*' || wrong.length > 0) throw new Error(`not a list of what is sent: ${wrong.join(', ')}`)
  return rest.map((line) => line.slice(1))
}
