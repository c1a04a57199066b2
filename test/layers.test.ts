import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')

const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))

const files = [...filesIn('src'), ...filesIn('inputs'), ...filesIn('outputs')]
const text = (file: string): string => readFileSync(join(root, file), 'utf8')

/** Modules a file imports: ours as paths from the root, packages by name. `typeOnly` leaves with the types. */
const importsOf = (file: string): { name: string; typeOnly: boolean; lazy: boolean }[] => {
  const source = text(file)
  const fixed = [...source.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^'"`;]*?from\s+)?'([^']+)'/gm)].map(
    (match) => ({
      name: match[2] ?? '',
      typeOnly: match[1] !== undefined,
      lazy: false,
    }),
  )
  const lazy = [...source.matchAll(/(?<!typeof )\bimport\('([^']+)'\)/g)].map((match) => ({
    name: match[1] ?? '',
    typeOnly: false,
    lazy: true,
  }))
  return [...fixed, ...lazy].map((one) => ({
    ...one,
    name: one.name.startsWith('.') ? relative(root, resolve(root, dirname(file), one.name)) : one.name,
  }))
}

const PLUGIN = /^(inputs|outputs|src\/actions|src\/contexts)\//
const isPlugin = (file: string): boolean => PLUGIN.test(file) && !/\/(index|_[\w-]+)\.ts$/.test(file)
/** What acts on objects of a cluster, and what all of them find and change these by. */
const OF_KUBERNETES = /^src\/actions\/(kubernetes|calico|cilium|retina)\//
const HELPER_OF_KUBERNETES = /^src\/actions\/kubernetes\/(resolve|_[\w-]+)\.ts$/
const HEAVY = ['kafkajs', '@kubernetes/client-node', '@opentelemetry/sdk-node', '@opentelemetry/sdk-trace']

describe('imports go one way', () => {
  it('a plugin imports the plugin interface, resources, and helpers of its own folder', () => {
    const wrong = files
      .filter((file) => PLUGIN.test(file) && !file.endsWith('/index.ts'))
      .flatMap((file) =>
        importsOf(file)
          .map(({ name }) => name)
          .filter((name) => /^(src|inputs|outputs)\//.test(name))
          .filter((name) => name !== 'src/plugin.ts' && !name.startsWith('src/resources/'))
          .filter((name) => !/\/_[\w-]+\.ts$/.test(name) || !sameFolder(file, name))
          .filter((name) => !(OF_KUBERNETES.test(file) && HELPER_OF_KUBERNETES.test(name)))
          .map((name) => `${file} -> ${name}`),
      )
    expect(wrong).toEqual([])
  })

  it('the engine knows no plugin, no configuration file and no command line', () => {
    const upper =
      /^(inputs|outputs)\/|^src\/(actions|cli|config|contexts|resources)\/|^src\/(main|serve|builtin|log)\.ts$/
    const wrong = files
      .filter(
        (file) =>
          /^src\/(rules\/)?[\w-]+\.ts$/.test(file) &&
          !/^src\/(main|serve|builtin|log|rules\/(?:load|talon)[\w-]*|describe)\.ts$/.test(file),
      )
      .flatMap((file) =>
        importsOf(file)
          .filter(({ name, typeOnly }) => upper.test(name) && !typeOnly)
          .map(({ name }) => `${file} -> ${name}`),
      )
    expect(wrong).toEqual([])
  })

  it('there is no circle', () => {
    const graph = new Map(
      files.map((file) => [
        file,
        importsOf(file)
          .filter(({ typeOnly, name }) => !typeOnly && files.includes(name))
          .map(({ name }) => name),
      ]),
    )
    const state = new Map<string, 'open' | 'done'>()
    const circles: string[] = []
    const visit = (file: string, path: string[]): void => {
      if (state.get(file) === 'done') return
      if (state.get(file) === 'open') return void circles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
      state.set(file, 'open')
      for (const next of graph.get(file) ?? []) visit(next, [...path, file])
      state.set(file, 'done')
    }
    for (const file of files) visit(file, [])
    expect(circles).toEqual([])
  })

  it('importing the public interface loads no Kafka client, no Kubernetes client and no OpenTelemetry SDK', () => {
    const reached = new Set<string>()
    const visit = (name: string): void => {
      if (reached.has(name)) return
      reached.add(name)
      if (files.includes(name)) for (const one of importsOf(name)) if (!one.typeOnly && !one.lazy) visit(one.name)
    }
    for (const entry of ['src/index.ts', 'src/plugin.ts', 'src/builtin.ts']) visit(entry)
    expect([...reached].filter((name) => HEAVY.includes(name))).toEqual([])
  })
})

const sameFolder = (file: string, name: string): boolean =>
  dirname(name) === dirname(file) || dirname(file).startsWith(`${dirname(name)}/`)

describe('what stands where', () => {
  const offenders = (pattern: RegExp, allowed: RegExp): string[] =>
    files.filter((file) => !allowed.test(file) && pattern.test(text(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')))

  it.each([
    ['the process and the console', /(?<!['\w.])process\.|\bconsole\./, /^src\/(main|serve|log)\.ts$|^src\/cli\//],
    ['OpenTelemetry', /'@opentelemetry\//, /^src\/telemetry(\.ts$|\/)/],
    ['child processes', /'node:child_process'/, /^src\/actions\/_child\.ts$/],
    ['global fetch', /(?<![\w.])fetch\(/, /^$/],
    ['module-level mutable state', /^let /m, /^$/],
  ])('%s', (_what, pattern, allowed) => {
    expect(offenders(pattern, allowed)).toEqual([])
  })

  it('no vendor is named in the engine', () => {
    const engine = files.filter((file) => /^src\/[\w-]+\.ts$/.test(file) && !/builtin|main|telemetry|redact/.test(file))
    const code = (file: string): string => text(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    expect(engine.filter((file) => /slack|alertmanager|kafkajs|client-node/i.test(code(file)))).toEqual([])
  })

  it('no file is over 400 lines', () => {
    const all = [...files, ...filesIn('test')].filter((file) => !file.includes('node_modules'))
    expect(all.filter((file) => text(file).split('\n').length > 401)).toEqual([])
  })

  it('a plugin’s file is called as its type', async () => {
    for (const file of files.filter((one) => isPlugin(one) && !one.endsWith('resolve.ts'))) {
      const module = (await import(join(root, file))) as Record<string, { type?: string } | undefined>
      const name = file.replace(PLUGIN, '').replace(/\.ts$/, '')
      const types = Object.values(module).flatMap((one) => one?.type ?? [])
      expect(types.map((type) => [type.replaceAll(':', '/'), type.replaceAll(/[:.]/g, '-')]).flat(), file).toContain(
        name,
      )
    }
  })
})
