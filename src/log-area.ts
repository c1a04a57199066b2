/** Parts of a log that can have levels of their own. */
import type { Log } from './plugin.ts'

/** The same log, each line with the part that it is about: `journal`, `delivery`, `response`, `input`, `undo`, `admin`. */
export const areaLog = (log: Log, area: string): Log => ({
  debug: (message, fields) => log.debug(message, { area, ...fields }),
  info: (message, fields) => log.info(message, { area, ...fields }),
  warn: (message, fields) => log.warn(message, { area, ...fields }),
  error: (message, fields) => log.error(message, { area, ...fields }),
})
