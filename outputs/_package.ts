/** Packages that are needed only where an output is used. */
import { YarakError } from '../src/plugin.ts'

const MISSING: ReadonlySet<unknown> = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])

/**
 * Loads an optional package.
 * @throws YarakError `config` with the command that installs it, when it is not there; what is told can be tried again
 * once it is
 * @example const { connect } = await optional('mqtt', () => import('mqtt'))
 */
export const optional = async <T>(name: string, importer: () => Promise<T>): Promise<T> => {
  try {
    return await importer()
  } catch (cause) {
    if (!MISSING.has((cause as { code?: unknown } | undefined)?.code)) throw cause
    throw new YarakError('config', `the package ${name} is not installed: npm install ${name}`, {
      cause,
      reason: 'missing_package',
    })
  }
}
