/** What `run --once` tells of its files: a bar on a terminal while they are read, one line at the end. */
import { type InputInput, withInput } from '../options.ts'
import type { Input, InputIo, Use } from '../plugin.ts'
import { plural, type Terminal } from './terminal.ts'

export interface Progress {
  /** The terminal, with the bar out of the way of whatever is written. */
  readonly terminal: Terminal
  /** The same inputs, watched. */
  watch(inputs: readonly InputInput[]): readonly InputInput[]
  /** Erases the bar; gives what was read, in one line. */
  end(): string
}

/** Milliseconds between two drawings. */
const REDRAW = 200
const ERASE = '\r\u001b[2K'
const WIDTH = 24

/** What is known of the files by now. */
export interface Tally {
  /** Bytes by path. */
  readonly total: Map<string, number>
  readonly read: Map<string, number>
  events: number
  refused: number
  skipped: number
}

/**
 * Watches inputs that are read once.
 * @param terminal where standard error is read by people, a bar is drawn there
 * @param now milliseconds, never going back
 */
export const createProgress = (terminal: Terminal, now = (): number => performance.now()): Progress => {
  const tally: Tally = { total: new Map(), read: new Map(), events: 0, refused: 0, skipped: 0 }
  const since = now()
  let drawn = false

  const erase = (): void => {
    if (drawn) terminal.err(ERASE)
    drawn = false
  }
  const draw = (): void => {
    if (sum(tally.total) === 0) return
    drawn = true
    terminal.err(ERASE + barOf(tally, now() - since))
  }
  const timer = terminal.tty ? setInterval(draw, REDRAW) : undefined
  timer?.unref()

  return {
    terminal: {
      ...terminal,
      out(text) {
        erase()
        terminal.out(text)
      },
      err(text) {
        erase()
        terminal.err(text)
      },
    },
    watch: (inputs) => inputs.map((input) => withInput(input, (use) => watched(use, tally))),
    end() {
      clearInterval(timer)
      erase()
      return summaryOf(tally, now() - since)
    },
  }
}

const watched = (use: Use<Input>, tally: Tally): Use<Input> => {
  const { run } = use.plugin
  return run ? { ...use, plugin: { ...use.plugin, run: (config, io) => run(config, counting(io, tally)) } } : use
}

const counting = (io: InputIo, tally: Tally): InputIo => ({
  ...io,
  async emit(raw, options) {
    try {
      const receipt = await io.emit(raw, options)
      tally.events++
      return receipt
    } catch (error) {
      if (!io.signal.aborted) tally.refused++
      throw error
    }
  },
  count(what, reason, lost) {
    tally[what === 'skipped' ? 'skipped' : 'refused']++
    io.count(what, reason, lost)
  },
  measure(what, value, labels) {
    if (what === 'total_bytes') tally.total.set(labels.path ?? '', value)
    else if (what === 'read_bytes') tally.read.set(labels.path ?? '', value)
    io.measure(what, value, labels)
  },
})

const sum = (values: ReadonlyMap<string, number>): number => [...values.values()].reduce((a, b) => a + b, 0)

/**
 * The bar, without a line end.
 * @param elapsed milliseconds
 * @example '████████████░░░░░░░░░░░░  50 %  12.0 MiB of 24.0 MiB  9,876 events  4,938/s  2 s left'
 */
export const barOf = (tally: Tally, elapsed: number): string => {
  const total = sum(tally.total)
  const read = Math.min(total, sum(tally.read))
  const part = total > 0 ? read / total : 1
  const full = Math.round(part * WIDTH)
  const left = read > 0 && elapsed >= 1_000 ? [`${secondsText((elapsed * (total - read)) / read)} left`] : []
  return [
    '█'.repeat(full) + '░'.repeat(WIDTH - full),
    `${Math.floor(part * 100)} %`.padStart(5),
    `${sizeText(read)} of ${sizeText(total)}`,
    `${plural(tally.events, 'event').replace(/^\d+/, numberText)}`,
    `${numberText(perSecond(tally.events, elapsed))}/s`,
    ...left,
  ].join('  ')
}

/** @example 'read 2 files, 24.0 MiB: 9,876 events, 3 refused, 1 skipped, in 2.0 s' */
export const summaryOf = (tally: Tally, elapsed: number): string => {
  const { events, refused, skipped } = tally
  const files = plural(tally.total.size, 'file')
  const parts = [`${numberText(events)} ${events === 1 ? 'event' : 'events'}`]
  if (refused > 0) parts.push(`${numberText(refused)} refused`)
  if (skipped > 0) parts.push(`${numberText(skipped)} skipped`)
  return `read ${files}, ${sizeText(sum(tally.read))}: ${parts.join(', ')}, in ${(elapsed / 1_000).toFixed(1)} s\n`
}

const perSecond = (count: number, elapsed: number): number => Math.round(count / (Math.max(elapsed, 1) / 1_000))

const numberText = (value: number | string): string => Number(value).toLocaleString('en-US')

const sizeText = (bytes: number): string => {
  const unit = bytes >= 1024 ** 3 ? 3 : bytes >= 1024 ** 2 ? 2 : bytes >= 1024 ? 1 : 0
  return unit === 0 ? `${bytes} B` : `${(bytes / 1024 ** unit).toFixed(1)} ${['', 'KiB', 'MiB', 'GiB'][unit]}`
}

const secondsText = (milliseconds: number): string => {
  const seconds = Math.ceil(milliseconds / 1_000)
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`
}
