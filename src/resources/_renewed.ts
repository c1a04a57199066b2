/** A value that ends some time, e.g. a token: made when it is first needed, kept, made again in time. */

export interface Dated<T> {
  readonly value: T
  /** When it is to be made again; milliseconds since the epoch. Infinity: never. */
  readonly until: number
}

/**
 * Those who ask at the same time get the same value. A failure is not kept.
 * @example const token = renewed(async () => ({ value: await ask(), until: Date.now() + 60_000 })); await token()
 */
export const renewed = <T>(make: () => Promise<Dated<T>>): (() => Promise<T>) => {
  let current: Promise<Dated<T>> | undefined
  let until = Infinity
  const renew = async (): Promise<Dated<T>> => {
    until = Infinity
    try {
      const made = await make()
      until = made.until
      return made
    } catch (error) {
      current = undefined
      throw error
    }
  }
  return async () => {
    if (Date.now() >= until) current = undefined
    return (await (current ??= renew())).value
  }
}
