/** Reads what `/metrics` answers, strictly: whatever is not of the format is an error. */
export type Labels = Readonly<Record<string, string>>

export interface Sample {
  readonly name: string
  readonly labels: Labels
  readonly value: number
  readonly exemplar?: { readonly labels: Labels; readonly value: number; readonly at: number }
}

export interface Family {
  readonly help: string
  readonly type: string
  readonly samples: Sample[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABEL = String.raw`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"`
const NUMBER = String.raw`[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?`
const SET = String.raw`\{(?:${LABEL}(?:,${LABEL})*)?\}`
const SAMPLE = new RegExp(`^(${NAME})(${SET})? (${NUMBER})(?: # (${SET}) (${NUMBER}) (${NUMBER}))?$`)

/** What a family's lines may be called beyond its own name. */
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: ['_total'],
  gauge: [''],
  summary: [''],
  histogram: ['_bucket', '_sum', '_count'],
}

/** @param open the text is OpenMetrics 1.0.0, else Prometheus' text format 0.0.4 */
export const parseExposition = (text: string, open = false): Map<string, Family> => {
  if (!text.endsWith(open ? '# EOF\n' : '\n') && text !== '') throw new Error('the last line must end')
  const lines = text.split('\n').slice(0, open ? -2 : -1)
  const families = new Map<string, Family>()
  const series = new Set<string>()
  for (let at = 0; at < lines.length;) {
    const [, name = '', help = ''] = new RegExp(`^# HELP (${NAME}) (.+)$`).exec(lines[at++] ?? '') ?? []
    const [, typed, type = ''] = new RegExp(`^# TYPE (${NAME}) (\\w+)$`).exec(lines[at++] ?? '') ?? []
    if (!name || typed !== name || families.has(name)) throw new Error(`line ${at}: no family ${lines[at - 2]}`)
    if (open && (name.endsWith('_total') || /(?<!\\)(?:\\\\)*"/.test(help))) throw new Error(`not OpenMetrics: ${name}`)
    const samples: Sample[] = []
    for (; at < lines.length && !lines[at]?.startsWith('#'); at++) samples.push(parseSample(lines[at] ?? '', open))
    const suffixes = !open && type === 'counter' ? [''] : (SUFFIXES[type] ?? [])
    for (const { name: called, labels } of samples) {
      const key = `${called} ${JSON.stringify(Object.entries(labels).toSorted())}`
      if (!suffixes.some((suffix) => called === name + suffix)) throw new Error(`${called} is not of ${type} ${name}`)
      if (series.has(key)) throw new Error(`a series is there twice: ${key}`)
      series.add(key)
    }
    families.set(name, { help: unescaped(help), type, samples })
  }
  return families
}

const parseSample = (line: string, open: boolean): Sample => {
  const match = SAMPLE.exec(line)
  if (!match?.[1]) throw new Error(`not a sample: ${line}`)
  // groups: 1 name, 2 labels (3-6), 7 value, 8 labels of the exemplar (9-12), 13 its value, 14 its time
  const [, name, labels, , , , , value, of, , , , , example, time] = match
  if (of !== undefined && !open) throw new Error(`an exemplar in the text format: ${line}`)
  return {
    name,
    labels: parseLabels(labels ?? ''),
    value: numberOf(value),
    ...(of !== undefined && { exemplar: { labels: parseLabels(of), value: numberOf(example), at: numberOf(time) } }),
  }
}

const parseLabels = (text: string): Labels => {
  const pairs = [...text.matchAll(new RegExp(LABEL, 'g'))]
  const labels = Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, unescaped(value)]))
  if (Object.keys(labels).length !== pairs.length) throw new Error(`a label is there twice: ${text}`)
  return labels
}

const numberOf = (text = ''): number => Number(text.replace('Inf', 'Infinity'))

const unescaped = (text: string) => text.replaceAll(/\\(.)/g, (_all, char: string) => (char === 'n' ? '\n' : char))

/** The value of the one series of these labels. */
export const valueOf = (families: ReadonlyMap<string, Family>, name: string, labels: Labels = {}): number => {
  const samples = [...families.values()].flatMap((family) => family.samples)
  const found = samples.filter((one) => one.name === name && isSame(one.labels, labels))
  if (found.length !== 1) throw new Error(`${found.length} series are ${name} ${JSON.stringify(labels)}`)
  return found[0]?.value ?? NaN
}

/** All series of a name, added up. */
export const totalOf = (families: ReadonlyMap<string, Family>, name: string, labels: Labels = {}): number =>
  [...families.values()]
    .flatMap((family) => family.samples)
    .filter((one) => one.name === name && isWithin(labels, one.labels))
    .reduce((sum, { value }) => sum + value, 0)

const isWithin = (part: Labels, whole: Labels): boolean =>
  Object.entries(part).every(([name, value]) => whole[name] === value)

const isSame = (a: Labels, b: Labels): boolean => isWithin(a, b) && isWithin(b, a)
