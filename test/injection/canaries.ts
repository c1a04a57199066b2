/** What is nowhere to be found when nothing that an attacker wrote was read as more than text. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { expect } from 'vitest'
import type { SpanRecord } from '../../src/trace-tree.ts'
import { objectsIn } from './leaves.ts'
import type { World } from './world.ts'

/** What a template gives that was run; no payload has it as text. */
const RUN = '42canary'

const VARIABLES = ['PATH', 'HOME', 'LANG', 'TRACEPARENT', 'RULE', 'PWD', 'OLDPWD', 'SHLVL', '_']

/** A path of the API with `{}` for namespace and name, each part of it decoded. */
export const shapeOf = (path: string): string => {
  const [, ...parts] = path.split('/')
  const depth = parts[0] === 'api' ? 2 : 3
  const rest = parts.slice(depth)
  const within = rest[0] === 'namespaces' && rest.length > 2 ? ['namespaces', '{}'] : []
  const [plural, name, ...more] = rest.slice(within.length)
  return ['', ...parts.slice(0, depth), ...within, plural, ...(name === undefined ? [] : ['{}']), ...more]
    .filter((part) => part !== undefined)
    .join('/')
}

/** The paths that were asked of the API server, as in the request lines. */
export const pathsIn = (bytes: string): readonly string[] =>
  [...bytes.matchAll(/(?:GET|HEAD|POST|PUT|PATCH|DELETE) (\S+) HTTP\/1\.1\r\n/g)].map(([, path = '']) =>
    path.replace(/\?.*$/, ''),
  )

/**
 * Takes what was sent to the API server since, and looks everywhere.
 * @param shapes the paths that an ordinary event leads to
 */
export const expectNoCanary = async (
  world: World,
  spans: readonly SpanRecord[],
  shapes: ReadonlySet<string>,
): Promise<void> => {
  await expectNoFile(world)
  expectPathsWithin(world, shapes)
  expectNoRequest(world)
  const { broker, lines } = world
  expect(JSON.stringify(broker.sent).includes(RUN)).toBe(false)
  expect(lines.filter((line) => line.includes(RUN) || line.indexOf('\n') !== line.length - 1)).toEqual([])
  expect(lines.filter((line) => 'kind' in (JSON.parse(line) as object))).toEqual([])
  expect(spans.filter(({ name }) => /canary/i.test(name))).toEqual([])
  expect(JSON.stringify(spans).includes(RUN)).toBe(false)
  expect((await world.variables()).filter((name) => !VARIABLES.includes(name))).toEqual([])
}

/** Commands ran in the folder of the world; what this process would run, where it was started. */
const expectNoFile = async ({ root }: World): Promise<void> => {
  expect(existsSync('CANARY')).toBe(false)
  const files = await readdir(root, { recursive: true })
  expect(files.filter((name) => /(^|\/)canary$/i.test(name))).toEqual([])
}

/** To the API server went just the requests that it read, and all of them to places where ordinary ones go. */
const expectPathsWithin = (world: World, shapes: ReadonlySet<string>): void => {
  const bytes = world.tap.taken()
  const paths = pathsIn(bytes)
  const count = world.cluster.requests.length + world.calls.length
  expect(paths).toHaveLength(count - world.counted)
  world.counted = count
  const isAstray = (path: string) => !shapes.has(shapeOf(path)) || path.split('/').some(climbs)
  expect([...new Set(paths)].filter(isAstray)).toEqual([])
  expect(/\nx-canary:/i.test(bytes) || bytes.includes(RUN)).toBe(false)
}

const climbs = (part: string): boolean => /^\.{1,2}$|\/|%2e/i.test(decodeURIComponent(part))

const expectNoRequest = ({ requests, cluster }: World): void => {
  for (const { rawHeaders, path, body } of requests) {
    expect(rawHeaders.some((name) => /^x-canary$/i.test(name)) || /\/\.\.?(\/|$)/.test(path), path).toBe(false)
    expect([...rawHeaders, path, body].some((text) => text.includes(RUN))).toBe(false)
  }
  const objects = cluster.requests.flatMap(({ body }) => objectsIn(body))
  expect(objects.filter(({ kind, a }) => kind === 'Canary' || a === 'b')).toEqual([])
}
