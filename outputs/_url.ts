/** Addresses made of a server's and a path. */

/**
 * A path below an address, whether or not that ends in slashes.
 * @example under('https://dynatrace.example/api/', '/v2/logs/ingest') // 'https://dynatrace.example/api/v2/logs/ingest'
 */
export const under = (address: string, path: string): string => address.replace(/\/+$/, '') + path
