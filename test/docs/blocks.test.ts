/** Every block of every page is what it is said to be. */
import { access } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { yarak } from '../cli/_kit.ts'
import { type Block, blocksIn, PAGES, ROOT, textOf, TUTORIALS } from './_pages.ts'
import { faultsIn, kindOf } from './_load.ts'

const BLOCKS = PAGES.flatMap((page) => blocksIn(page))
const GENERATED = PAGES.filter((page) => textOf(page).includes('<!-- Generated '))
const WRITTEN = PAGES.filter((page) => !GENERATED.includes(page))
const place = ({ page, line }: Block): string => `${page}:${line}`

/** Values of charts are rendered by test/real/chart.test.ts. */
const isValues = ({ name }: Block): boolean => name === 'values'
/** Plugins of one's own are loaded with their code by test/cli/plugins.test.ts. */
const hasPlugins = ({ text }: Block): boolean => /^plugins:/m.test(text)
const ofYaml = BLOCKS.filter(({ language }) => language === 'yaml')
const loaded = ofYaml.filter((block) => !isValues(block) && !hasPlugins(block))

describe('YAML', () => {
  it.each([...new Set(loaded.map(({ page }) => page))])('of %s loads', (page) => {
    for (const block of loaded.filter((one) => one.page === page))
      expect(faultsIn(block.text, page), place(block)).toBe('')
  })

  it('that nothing here loads is loaded elsewhere', () => {
    const rest = ofYaml.filter((block) => !loaded.includes(block))
    expect([...new Set(rest.map(({ page }) => page))]).toEqual(['charts/yarak/README.md', 'src/actions/WRITING.md'])
  })

  it('that is a whole configuration begins with the line that editors look for', () => {
    for (const block of ofYaml.filter(({ page }) => WRITTEN.includes(page))) {
      const isWhole = Object.hasOwn((parse(block.text) ?? {}) as object, 'version')
      if (isWhole) expect(block.text, place(block)).toMatch(/^# yaml-language-server: \$schema=\S+\n/)
    }
  })

  it('is told apart', () => {
    expect(kindOf([{ rule: 'x' }, { list: 'y' }])).toBe('rules')
    expect(kindOf([{ action: 'log' }, { wait: '1s' }])).toBe('steps')
    expect(kindOf({ steps: [] })).toBe('steps')
    expect(kindOf({ outputs: {} })).toBe('configuration')
    expect(kindOf({ falco: {} })).toBe('falco')
    expect(kindOf({ rules: [], cases: [] })).toBe('cases')
  })

  it('is found out when it does not load', () => {
    expect(faultsIn('outputs: { slak: }\n', 'x.md')).toContain('slak')
    expect(faultsIn('- rule: R\n  condition: nonsense =\n  steps: [{ action: log }]\n', 'x.md')).not.toBe('')
    expect(faultsIn('http_output: { enabled: true, url: "http://x:1/" }\n', 'x.md')).toContain('json_output')
  })
})

describe('JSON', () => {
  const ofJson = BLOCKS.filter(({ language, name }) => language === 'json' || name.endsWith('.jsonl'))

  it.each(ofJson.map((block) => [place(block), block] as const))('%s is that', (_place, { name, text }) => {
    for (const one of name.endsWith('.jsonl') ? text.trim().split('\n') : [text])
      expect(() => JSON.parse(one) as unknown).not.toThrow()
  })
})

describe.each(WRITTEN)('%s', (page) => {
  const text = textOf(page)

  it('leads to files and headings that are there', async () => {
    for (const [, to = '', , anchor] of text.matchAll(/\]\((?!https?:)([^)\s#]*)(#([^)\s]*))?\)/g)) {
      const file = to === '' ? page : join(dirname(page), to)
      await expect(access(join(ROOT, file)), file).resolves.toBeUndefined()
      if (anchor !== undefined) expect(anchorsOf(textOf(file)), `${file}#${anchor}`).toContain(anchor)
    }
  })

  it('names only commands that there are', async () => {
    for (const command of new Set(commandsIn(text))) expect(await COMMANDS, command).toContain(command)
  })
})

/** The headings of a page as GitHub links to them. */
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )

const GROUPS = ['config', 'outputs', 'dlq', 'responses', 'journal', 'audit', 'log', 'import']

/** `yarak run` in a command or in the text; of a group with what follows, as `yarak dlq ls`. */
const commandsIn = (text: string): string[] =>
  [...text.matchAll(/(?:^|`|\| |&& )yarak ([a-z]+)(?: ([a-z]+))?/gm)].map(([, name = '', sub]) =>
    GROUPS.includes(name) && sub !== undefined ? `${name} ${sub}` : name,
  )

const namesIn = async (args: readonly string[]): Promise<string[]> => {
  const { out } = await yarak([...args, '--help'])
  return Array.from(out.matchAll(/^ {2}([a-z]+) /gm), ([, name = '']) => name)
}

const COMMANDS = Promise.all([
  namesIn([]),
  ...GROUPS.map(async (group) => (await namesIn([group])).map((name) => `${group} ${name}`)),
]).then((all) => all.flat())

describe('the list in the README', () => {
  const readme = textOf('README.md')
  const list = readme.slice(readme.indexOf('\n## Documentation\n'))

  it.each(PAGES.filter((page) => page !== 'README.md'))('leads to %s', (page) => {
    expect(list).toContain(`](${page})`)
  })

  it('has tutorials that are run', () => {
    expect(TUTORIALS.length).toBeGreaterThan(3)
  })
})
