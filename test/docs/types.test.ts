/** Every TypeScript block compiles against what the package exports, and with nothing else. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blocksIn, PAGES, ROOT } from './_pages.ts'

const BLOCKS = PAGES.flatMap((page) => blocksIn(page)).filter(({ language }) => language === 'ts')

/** What the package exports, from its sources. */
const PATHS = {
  yarak: ['src/index.ts'],
  'yarak/plugin': ['src/plugin.ts'],
  'yarak/testing': ['src/testing.ts'],
  'yarak/inputs/*': ['inputs/*.ts'],
  'yarak/outputs/*': ['outputs/*.ts'],
  'yarak/actions/*': ['src/actions/*.ts'],
  'yarak/contexts/*': ['src/contexts/*.ts'],
  'yarak/resources/*': ['src/resources/*.ts'],
}

/** Compiles files together; a line for each error. */
const errorsIn = (files: readonly string[]): string[] => {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: object }
  }
  const paths = Object.fromEntries(Object.entries(PATHS).map(([name, to]) => [name, to.map((one) => join(ROOT, one))]))
  const { options } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, paths }, ROOT)
  const program = ts.createProgram([...files], options)
  return files.flatMap((file) => {
    const source = program.getSourceFile(file)
    const found = source ? [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)] : []
    return found.map((one) => `${file}: ${ts.flattenDiagnosticMessageText(one.messageText, '\n')}`)
  })
}

describe('TypeScript', () => {
  let folder = ''
  beforeAll(() => {
    mkdirSync(join(ROOT, '.yarak'), { recursive: true })
    folder = mkdtempSync(join(ROOT, '.yarak', 'docs-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('of every page compiles, and what does not is found', () => {
    const files = BLOCKS.map(({ page, line, text, name }) => {
      const of = join(folder, page.replaceAll(/\W/g, '-'))
      mkdirSync(of, { recursive: true })
      const file = join(of, name || `${fileOf(page, text) ?? `line-${line}`}.ts`)
      // in the pages of the repository a path is that of the repository
      writeFileSync(file, `${text.replaceAll("'../src/plugin.ts'", "'yarak/plugin'")}\nexport {}\n`)
      return file
    })
    const wrong = join(folder, 'wrong.ts')
    writeFileSync(wrong, "import { createGateway } from 'yarak'\ncreateGateway({ mode: 'sometimes' })\n")
    const errors = errorsIn([...files, wrong])
    expect(errors.filter((error) => !error.startsWith(wrong))).toEqual([])
    expect(errors.join()).toContain('sometimes')
    expect(files.length).toBeGreaterThan(4)
  }, 60_000)
})

/** A file that another block of its page imports has that name. */
const fileOf = (page: string, text: string): string | undefined =>
  BLOCKS.filter((one) => one.page === page)
    .flatMap((one) => [...one.text.matchAll(/import \{ (\w+) \} from '\.\/([\w-]+)\.ts'/g)])
    .find(([, name = '']) => text.includes(`export const ${name} `))?.[2]
