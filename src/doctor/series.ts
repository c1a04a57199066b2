/** Reading the text format of Prometheus, as far as our own `/metrics` uses it. */

export interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g

/** All series of one metric. */
export const seriesOf = (text: string, name: string): Series[] =>
  text.split('\n').flatMap((line) => {
    const [, found, labels = '', value] = LINE.exec(line) ?? []
    if (found !== name) return []
    const pairs = [...labels.matchAll(LABEL)].map(([, key = '', raw = '']) => [key, raw.replaceAll(/\\(.)/g, unescape)])
    return [{ labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }]
  })

const unescape = (_: string, char: string): string => (char === 'n' ? '\n' : char)

/** The sum of the series that have these labels. */
export const sumOf = (text: string, name: string, labels: Series['labels'] = {}): number =>
  seriesOf(text, name)
    .filter((one) => Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0)
