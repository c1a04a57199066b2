/** JSON with every digit of a large integer. */

const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON

/** JSON.stringify that writes bigints as the numbers they are. */
export const toJson = (value: unknown, indent?: number): string => {
  try {
    return JSON.stringify(value, undefined, indent)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    // a function for each member costs three times as much, and few events have a bigint
    return JSON.stringify(value, withBigints, indent)
  }
}

const withBigints = (_key: string, inner: unknown): unknown =>
  typeof inner === 'bigint' ? rawJson(String(inner)) : inner
