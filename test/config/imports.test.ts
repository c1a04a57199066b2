import { describe, expect, it } from 'vitest'
import { loadWithPlugins } from '../../src/config/index.ts'
import { brief, plugins } from './_kit.ts'

/** A configuration that stands beside the fixtures. */
const load = (text: string) =>
  loadWithPlugins({ file: 'test/fixtures/plugins/yarak.yaml', text: `version: 1\n${text}`, env: {}, plugins })

const faults = async (...names: string[]) => brief((await load(`plugins: ${JSON.stringify(names)}\n`)).problems)

describe('plugins of a configuration', () => {
  it('are registered, of every kind, and can be used at once', async () => {
    const {
      options,
      problems,
      plugins: all,
    } = await load(
      [
        'plugins: [./acme.ts]',
        'inputs: { acmewords: { word: a } }',
        'outputs: { acmetell/team: { word: b, minimumPriority: warning } }',
        'resources: { acme: { word: c } }',
        'contexts: { acme: { word: d } }',
        'rules: [{ rule: R, match: { rules: [x] }, steps: [{ action: acme:act, with: { word: "{{ context.acme.word }}" } }] }]',
      ].join('\n'),
    )
    expect(brief(problems)).toEqual([])
    expect(options).toMatchObject({
      plugins: ['./acme.ts'],
      inputs: [{ id: 'acmewords', config: { word: 'a' } }],
      outputs: [{ minimumPriority: 'warning', output: { id: 'acmetell/team', config: { word: 'b' } } }],
      resources: [{ id: 'acme', config: { word: 'c' } }],
      contexts: [{ id: 'acme', config: { word: 'd' } }],
      rules: [{ name: 'R', steps: [{ action: { id: 'acme:act' } }] }],
    })
    expect(all.actions.map(({ type }) => type)).toEqual([...plugins.actions.map(({ type }) => type), 'acme:act'])
  })

  it('have their settings checked with a place', async () => {
    const { problems } = await load(
      'plugins: [./acme.ts]\nrules: [{ rule: R, match: { rules: [x] }, steps: [{ action: acme:act, with: { wrd: x } }] }]',
    )
    expect(brief(problems)).toEqual([expect.stringMatching(/^3:.*wrd is not a known setting; did you mean `word`\?/)])
  })

  it('are not there for a file that names none', async () => {
    expect((await load('')).plugins).toEqual(plugins)
    expect((await load('')).options?.plugins).toEqual([])
  })

  it('that cannot be imported are told where they are named', async () => {
    expect(await faults('./acme.ts', './none.ts', './throws.ts')).toEqual([
      expect.stringMatching(/^2:23 plugins\[1\]: cannot import \.\/none\.ts: .*plugins\/none\.ts'$/),
      '2:35 plugins[2]: cannot import ./throws.ts: not today',
    ])
    expect(await faults('acme-yarak')).toEqual([
      expect.stringMatching(/^2:11 plugins\[0\]: cannot import acme-yarak: /),
    ])
  })

  it('must export declarations, and nothing else', async () => {
    expect(await faults('./empty.ts', './helper.ts')).toEqual([
      expect.stringMatching(/^2:11 plugins\[0\]: \.\/empty\.ts exports nothing/),
      expect.stringMatching(/^2:24 plugins\[1\]: \.\/helper\.ts: the export helper is no declaration/),
    ])
  })

  it('may not take a name that is there', async () => {
    expect(await faults('./taken.ts')).toEqual(['2:11 plugins[0]: ./taken.ts: there is already an action log'])
    expect(await faults('./acme.ts', './acme.ts')).toHaveLength(5)
  })

  it('are checked as the built-in ones are', async () => {
    const told = await faults('./loose.ts')
    const each = [
      'has a summary of one sentence',
      'refuses an unknown one',
      'describes every setting',
      'marks its secrets',
      'well-formed permissions',
    ]
    for (const name of each) expect(told.join('\n')).toContain(name)
    expect(told.join('\n')).toMatch(
      /action acme:loose does not keep: describes every setting: add \.describe\(\) to these: password/,
    )
    expect(told).toHaveLength(each.length)
  })

  it('must be a list of names', async () => {
    expect(brief((await load('plugins: ./acme.ts\n')).problems)).toEqual([
      expect.stringMatching(/^2:10 plugins must be a list/),
    ])
    expect(brief((await load('plugins: [3]\n')).problems)).toHaveLength(1)
  })

  it('of a file that is broken are not imported', async () => {
    const { problems, options } = await load('plugins: [./throws.ts\n')
    expect(options).toBeUndefined()
    expect(brief(problems).join()).not.toContain('not today')
  })
})

describe('contexts of a configuration', () => {
  it('are all there with their defaults, but for those that cannot be', async () => {
    const { options } = await load('plugins: [./acme.ts]')
    expect(options?.contexts).toMatchObject([{ id: 'acme', config: { word: 'none' } }])
  })

  it('have their settings checked', async () => {
    expect(brief((await load('plugins: [./acme.ts]\ncontexts: { acme: { wrd: x }, other: }')).problems)).toEqual([
      expect.stringMatching(/^3:21 contexts\.acme\.wrd is not a known setting/),
      expect.stringMatching(/^3:\d+ contexts: other is not a known context/),
    ])
  })
})
