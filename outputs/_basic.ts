/** HTTP Basic authentication by settings. */

/**
 * The header `authorization` of a name and a password; undefined unless both are there, as Falcosidekick has it.
 *
 * Source: RFC 7617.
 * @example basicAuth('Aladdin', 'open sesame') // 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='
 */
export const basicAuth = (user: string | undefined, password: string | undefined): string | undefined =>
  user && password ? `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` : undefined
