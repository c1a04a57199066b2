/** Which path a request is for: one reading of it for the listener's own choices, the inputs and Hono. */
import type { Hono } from 'hono'
import { getPath } from 'hono/utils/url'

/** Nothing encoded, no dot segments, no query, no authority: as almost every request has it. */
const PLAIN = /^(?=\/)(?:\/[\w-][\w.-]*)*\/?$/

export interface Target {
  /** Path and query, without `..` and without the origin of an absolute target. */
  readonly url: string
  /** The path as routes compare it: decoded, but for `%2F`. */
  readonly path: string
}

/**
 * What a request line asks for; undefined when it is no target of this kind of server.
 * @example readTarget('http://yarak:2801/a/../in?x=1') // { url: '/in?x=1', path: '/in' }
 */
export const readTarget = (given: string): Target | undefined => {
  if (PLAIN.test(given)) return { url: given, path: given }
  const absolute = /^https?:\/\//i.test(given)
  if (given.includes('\\') || (!absolute && !given.startsWith('/'))) return undefined
  const parsed = URL.parse(absolute ? given : `http://x${given}`)
  return parsed
    ? { url: parsed.pathname + parsed.search, path: getPath(new Request(`http://x${parsed.pathname}`)) }
    : undefined
}

export type PathTest = (path: string) => boolean

/** Whether a path is one of these, or below one that ends with `/*`. */
export const anyOf = (paths: readonly string[]): PathTest => {
  const exact = new Set(paths.map((path) => path.replace(/(?<=.)\/\*$/, '')))
  const above = paths.filter((path) => path.endsWith('/*')).map((path) => path.slice(0, -1))
  return (path) => exact.has(path) || above.some((start) => path.startsWith(start))
}

/** Whether a path is for one of the routes of these apps. Their middleware for any path is no route. */
export const routed = (apps: readonly Hono[]): PathTest => {
  const paths = apps.flatMap(({ routes }) => routes.map(({ path }) => path.replace(/[:*].*$/, '*')))
  return anyOf(paths.filter((path) => path !== '/*'))
}
