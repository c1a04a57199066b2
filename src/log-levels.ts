/** What a log writes: a level for all of it, and levels for its parts, which change while it runs. */
import type { Log } from './plugin.ts'

export type LineLevel = keyof Log

export type LogLevel = LineLevel | 'silent'

export interface LogLevels {
  /** Of everything that has none of its own. */
  readonly level: LogLevel
  /** By area of the engine, or id or type of a plugin. */
  readonly levels: Readonly<Record<string, LogLevel>>
}

export interface Levels {
  get(): LogLevels
  /**
   * Changes the level of one part from now on.
   * @param name an area of the engine, or the id or type of a plugin; undefined: what has no level of its own
   * @param level undefined: what it was at the start
   * @example levels.set('kubernetes', 'debug')
   */
  set(name: string | undefined, level: LogLevel | undefined): void
  /** Whether a line is written. */
  wants(level: LineLevel, name: string | undefined): boolean
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 }

/**
 * The names by which a level can be set for an area or plugin, the most exact first.
 * @example levelNames('kubernetes:label/x') // ['kubernetes:label/x', 'kubernetes:label', 'kubernetes']
 */
export const levelNames = (id: string): readonly string[] => {
  const type = id.split('/', 1)[0] ?? id
  return [...new Set([id, type, type.split(':', 1)[0] ?? type])]
}

/** @param start in force until something is changed */
export const createLevels = (start: LogLevels): Levels => {
  let now = start
  /** The least that is written, by name: there are as many as areas and plugins. */
  const least = new Map<string, number>()
  const find = (name: string): number => {
    const named = levelNames(name).find((one) => Object.hasOwn(now.levels, one))
    const rank = RANK[(named === undefined ? undefined : now.levels[named]) ?? now.level]
    least.set(name, rank)
    return rank
  }
  return {
    get: () => now,
    set(name, level) {
      now =
        name === undefined ? { ...now, level: level ?? start.level } : withLevel(now, name, level ?? at(start, name))
      least.clear()
    },
    wants: (level, name) => RANK[level] >= (name === undefined ? RANK[now.level] : (least.get(name) ?? find(name))),
  }
}

const at = ({ levels }: LogLevels, name: string): LogLevel | undefined =>
  Object.hasOwn(levels, name) ? levels[name] : undefined

const withLevel = ({ level: all, levels }: LogLevels, name: string, level: LogLevel | undefined): LogLevels => {
  const others = Object.entries(levels).filter(([one]) => one !== name)
  return { level: all, levels: Object.fromEntries(level ? [...others, [name, level]] : others) }
}
