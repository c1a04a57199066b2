/** What the first documents show is executed; the blocks of all of them are tested by test/docs. */
import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../src/config/index.ts'
import { builtin } from '../src/builtin.ts'
import { outputCases } from '../src/testing.ts'
import { VERSION } from '../src/version.ts'

const root = resolve(import.meta.dirname, '..')
const read = (name: string): Promise<string> => readFile(join(root, name), 'utf8')

const blocks = async (name: string, language: string): Promise<string[]> =>
  [...(await read(name)).matchAll(new RegExp('^```' + language + '\\n([\\s\\S]*?)^```$', 'gm'))].map(
    (match) => match[1] ?? '',
  )

/** Package names as the files they stand for, so that an example runs without a build. */
const local = (code: string): string =>
  code.replaceAll(
    /from '(?:yarak(\/[\w-]+)?(\/[\w-]+)?|\.\.\/(src\/plugin)\.ts)'/g,
    (_all, first: string | undefined, second: string | undefined, plugin: string | undefined) => {
      const path =
        plugin ??
        (first === undefined ? 'src/index' : second === undefined ? `src${first}` : `${first.slice(1)}${second}`)
      return `from '${join(root, `${path}.ts`)}'`
    },
  )

let dir = ''
beforeAll(async () => {
  await mkdir(join(root, '.yarak'), { recursive: true })
  dir = await mkdtemp(join(root, '.yarak', 'readme-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

describe('README', () => {
  it('its program runs: at most 30 lines, with an action of 10', async () => {
    const [code = ''] = await blocks('README.md', 'ts')
    expect(code.trim().split('\n').length).toBeLessThanOrEqual(30)
    const action = /^const page = defineAction\(\{\n([\s\S]*?)^\}\)/m.exec(code)?.[0] ?? ''
    expect(action.split('\n').length).toBeLessThanOrEqual(10)
    const file = join(dir, 'program.ts')
    await writeFile(file, local(code))
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: root })
    const told = JSON.parse(stdout) as { response: unknown }
    expect(told).toMatchObject({
      rule: 'Shell',
      response: { rule: 'Page', outcome: 'succeeded', steps: [{ action: 'acme:page', summary: 'paged shop' }] },
    })
  })

  it('names every plugin', async () => {
    const text = await read('README.md')
    for (const { type } of [...builtin.inputs, ...builtin.actions, ...builtin.outputs, ...builtin.contexts])
      expect(text).toContain(`\`${type}\``)
  })

  it('counts what there is', async () => {
    const text = await read('README.md')
    const cell = (row: string) => new RegExp(`^\\| ${row} +\\| ([^|]*?) +\\|`, 'm').exec(text)?.[1]
    const keep = builtin.outputs.filter(({ stores }) => stores)
    expect(cell('actions')).toBe(String(builtin.actions.length))
    expect(cell('outputs')).toBe(`${builtin.outputs.length}, of which ${keep.length} keep files`)
  })
})

describe('CONTRIBUTING', () => {
  it('its output is one file that passes the conformance cases', async () => {
    const [code = ''] = await blocks('CONTRIBUTING.md', 'ts')
    const file = join(dir, 'ntfy.ts')
    await writeFile(file, local(code))
    const { ntfy } = (await import(file)) as { ntfy: (typeof builtin.outputs)[number] }
    for (const one of outputCases(ntfy)) await one.run()
    expect(ntfy.type).toBe('ntfy')
  })

  it('and one line: with it the output is loaded, checked and listed', async () => {
    const { ntfy } = (await import(join(dir, 'ntfy.ts'))) as { ntfy: (typeof builtin.outputs)[number] }
    const plugins = { ...builtin, outputs: [...builtin.outputs, ntfy] }
    const load = (settings: string) =>
      loadConfig({
        file: 'x.yaml',
        text: `version: 1\ninputs: { http: }\noutputs:\n  ntfy/team: ${settings}\n`,
        env: {},
        plugins,
      })
    expect(load('{ url: "https://ntfy.example/falco", minimumPriority: warning }').options?.outputs[0]?.output.id).toBe(
      'ntfy/team',
    )
    expect(load('{ uri: x }').problems.map(({ line, message }) => `${line}: ${message}`)).toContainEqual(
      expect.stringMatching(/^4: outputs.ntfy\/team.uri is not a known setting/),
    )
  })
})

describe('the documents', () => {
  it.each(['README.md', 'CONTRIBUTING.md'])('%s leads to how to write an action', async (page) => {
    expect(await read(page)).toContain('(src/actions/WRITING.md)')
  })

  it('the changes name every plugin', async () => {
    const text = await read('CHANGELOG.md')
    for (const { type } of [...builtin.inputs, ...builtin.actions, ...builtin.outputs, ...builtin.contexts]) {
      const short = type.replace(/^kubernetes:/, '')
      expect(text.includes(`\`${type}\``) || text.includes(`\`${short}\``), type).toBe(true)
    }
  })
})

describe('the package', () => {
  interface Package {
    readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  }

  it('gives authors types and code for what they may import', async () => {
    const { exports } = JSON.parse(await read('package.json')) as Package
    const imported = (await read('src/actions/WRITING.md')).matchAll(/from 'yarak\/([\w/-]+)'/g)
    for (const path of new Set(Array.from(imported, ([, name = '']) => name))) {
      const found = exports[`./${path}`] ?? exports[`./${path.split('/')[0]}/*`]
      if (typeof found !== 'object') expect.fail(`${path} is not exported`)
      const of = (place: string) => place.replace('*', path.slice(path.indexOf('/') + 1))
      expect(of(found.types).replace('.d.ts', '')).toBe(of(found.default).replace('.js', ''))
      await access(join(root, of(found.default).replace('./dist/', '').replace('.js', '.ts')))
    }
  })
})

it('the version is that of the package', async () => {
  expect(JSON.parse(await read('package.json'))).toMatchObject({ version: VERSION })
})

it('the lock file names no registry', async () => {
  expect(await read('package-lock.json')).not.toMatch(/"resolved": *"http/)
})
