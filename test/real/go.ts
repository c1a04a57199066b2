/** Parts that are built from a Go module which has replace directives, and so cannot be had by `go install`. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { launch, type Launch } from './launch.ts'
import { locked } from './lock.ts'
import { cacheDir, type Part } from './part.ts'
import { go, lacking, linkFlags, once, type Say } from './tools.ts'

interface GoSource {
  readonly name: string
  /** Version that is shown; the module's own when left out. */
  readonly version?: string
  readonly module: string
  readonly moduleVersion: string
  /** Folder of the main package inside the module. */
  readonly folder?: string
  /** The text of a main package that is used instead of the module's own. */
  readonly main?: string
  /** Variables that the linker sets, e.g. the version that the program reports. */
  readonly variables?: Record<string, string>
  readonly tags?: readonly string[]
}

/** A part that is one program of a Go module. */
export interface GoSpec<A extends object, O extends object> extends GoSource {
  begin(binary: string, run: Launch, options: O): Promise<A>
}

/** Every part built from a Go module has this one shape; only how it begins differs. */
export const goPart = <A extends object, O extends object = object>(spec: GoSpec<A, O>): Part<A, O> => {
  const binary = join(cacheDir('go'), `${spec.name}-${spec.moduleVersion}`)
  return {
    name: spec.name,
    version: spec.version ?? spec.moduleVersion,
    missing: () => (existsSync(binary) ? undefined : lacking('go')),
    cached: () => [binary],
    ensure: (say = () => undefined) => locked(`${binary}.lock`, () => build(spec, binary, say)),
    start: (options) => launch(spec.name, (run) => spec.begin(binary, run, options ?? ({} as O))),
  }
}

/**
 * The build runs in a module of ours whose go.mod is a copy of the program's, replacements included: it selects the
 * very versions that the program's authors tested.
 */
const build = (spec: GoSource, binary: string, say: Say): Promise<void> =>
  once(binary, async (unfinished) => {
    const wrapper = `${unfinished}.module`
    try {
      say(`${spec.name}: getting ${spec.module} ${spec.moduleVersion}`)
      await wrap(wrapper, spec)
      say(`${spec.name}: building it, which takes minutes the first time`)
      const { module, folder = '', main, tags = [], variables = {} } = spec
      const flags = ['-trimpath', '-tags', tags.join(), '-ldflags', linkFlags(variables), '-o', unfinished]
      await go(['build', ...flags, main ? '.' : `${module}/${folder}`], wrapper)
    } finally {
      rmSync(wrapper, { recursive: true, force: true })
    }
  })

/** A replacement by a folder cannot be followed outside the module: the version that it requires is used instead. */
const wrap = async (dir: string, { module, moduleVersion, main }: GoSource): Promise<void> => {
  const answer = await go(['mod', 'download', '-json', `${module}@v${moduleVersion}`])
  const { Dir: source } = JSON.parse(answer) as { Dir: string }
  const mod = readFileSync(join(source, 'go.mod'), 'utf8')
    .replace(/^module .*$/m, 'module wrapper')
    .replace(/^replace \S+( \S+)? => \.\.?\/.*$/gm, '')
  mkdirSync(dir)
  writeFileSync(join(dir, 'go.mod'), `${mod}\nrequire ${module} v${moduleVersion}\n`)
  copyFileSync(join(source, 'go.sum'), join(dir, 'go.sum'))
  if (main) writeFileSync(join(dir, 'main.go'), main)
}
