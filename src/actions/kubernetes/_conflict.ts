/** Changes that are not bound to one version of an object. */
import { YarakError } from '../../plugin.ts'

const TRIES = 3

/**
 * Sends a change that names no version again when another writer came between (409): it then meets the fresh object.
 * @throws YarakError what `send` throws, a conflict only after the third time
 */
export const pastConflicts = async <T>(send: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send()
    } catch (error) {
      if (attempt === TRIES || !isConflict(error)) throw error
    }
  }
}

const isConflict = (error: unknown): boolean =>
  error instanceof YarakError && error.reason === 'conflict' && !error.permanent
