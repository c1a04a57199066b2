/** `plugins:` as users meet it: the page about writing an action is followed to the letter. */
import { mkdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fakeCluster } from '../fake-cluster.ts'
import { aPod } from '../actions/kubernetes/world.ts'
import { folder, launch, noneLeft, ROOT, yarak } from './_kit.ts'

noneLeft()
const files = folder()

const PAGE = readFileSync(resolve(ROOT, 'src/actions/WRITING.md'), 'utf8')

const blocks = (language: string): string[] =>
  [...PAGE.matchAll(new RegExp('^```' + language + '\\n([\\s\\S]*?)^```$', 'gm'))].map(([, text = '']) => text)

const [page = '', retina = '', test = ''] = blocks('ts')
const [pageConfig = '', retinaConfig = ''] = blocks('yaml')

const ALERT = {
  rule: 'Terminal shell in container',
  priority: 'Critical',
  time: new Date().toISOString(),
  output: 'a shell was spawned',
  output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1' },
}

describe('the page about writing an action', () => {
  it('has one of ten lines', () => {
    const [action = ''] = /^export const page[^]*?^\}\)/m.exec(page) ?? []
    expect(action.split('\n').length).toBeLessThanOrEqual(10)
  })

  it('its ten lines are checked and listed, with nothing installed beside them', async () => {
    files.write('page.ts', page)
    const config = files.write('yarak.yaml', pageConfig)
    const checked = await launch(['check', '--config', config], { cwd: files.at('.') }).ended
    expect(checked).toMatchObject({ code: 0, out: 'ok: 1 input, 1 rule, 0 outputs\n', err: '' })
    const { out } = await launch(['list', 'actions', '--config', config]).ended
    expect(out).toMatch(/^acme:page +Calls whoever is on duty\.$/m)
  })

  it('its chain watches, captures, waits and cuts off', async () => {
    const cluster = await fakeCluster()
    onTestFinished(() => cluster.close())
    cluster.add('Pod', aPod())
    const ended = { conditions: [{ type: 'complete', status: 'True' }] }
    cluster.override = ({ method, path }) => {
      const [, name] = /\/captures\/([^/]+)$/.exec(path) ?? []
      const capture = name === undefined ? undefined : cluster.get('Capture', 'shop', name)
      return method === 'GET' && capture ? { status: 200, body: { ...capture, status: ended } } : undefined
    }
    files.write('retina.ts', retina)
    files.write('events.jsonl', [ALERT])
    const config = files.write(
      'yarak.yaml',
      [
        retinaConfig
          .replace('http: { trust: true }', 'file: { path: events.jsonl, from: beginning }')
          .replace('10s', '10ms'),
        `resources: { kubernetes: { kubeconfig: ${JSON.stringify(cluster.kubeconfig)} } }`,
        'outputs: { file: { path: told.jsonl, tell: responses } }',
        'listen: 127.0.0.1:0',
      ].join('\n'),
    )
    const ran = await launch(['run', '--config', config, '--once'], { cwd: files.at('.') }).ended
    expect(ran).toMatchObject({ code: 0 })
    expect(cluster.get('Pod', 'shop', 'web-1')?.metadata.annotations).toMatchObject({ 'retina.sh': 'observe' })
    const told = JSON.parse(readFileSync(files.at('told.jsonl'), 'utf8')) as { response: { steps: object[] } }
    expect(told.response.steps).toMatchObject([
      { action: 'acme:watch', outcome: 'succeeded', summary: 'Retina watches pod shop/web-1' },
      { action: 'acme:capture', outcome: 'succeeded', summary: 'captured 30 s of pod shop/web-1' },
      { action: 'wait', outcome: 'succeeded' },
      { action: 'kubernetes:networkpolicy', outcome: 'succeeded' },
    ])
    const made = cluster.requests.find(({ method, path }) => method === 'POST' && path.endsWith('/captures'))
    expect(made?.body?.spec).toMatchObject({
      captureConfiguration: { captureTarget: { podNames: ['web-1'] }, captureOption: { duration: '30s' } },
    })
  })

  it('its test passes', async () => {
    expect(test).toContain('checkAction(watch)')
    const { watch } = (await import(files.write('local.ts', local(retina)))) as { watch: never }
    const { checkAction } = await import('../../src/testing.ts')
    await checkAction(watch)
  })
})

/** Names of this package as the files they stand for, where nobody resolves them. */
const local = (code: string): string => code.replaceAll(/'yarak\/([^']+)'/g, `'${ROOT}/src/$1.ts'`)

describe('a package under `plugins:`', () => {
  it('is found beside the configuration, and has the very code that runs', async () => {
    mkdirSync(files.at('node_modules/acme-yarak'), { recursive: true })
    files.write('node_modules/acme-yarak/package.json', { name: 'acme-yarak', type: 'module', exports: './index.js' })
    files.write('node_modules/acme-yarak/index.js', PACKAGE)
    files.write('events.jsonl', [ALERT])
    const rule = { rule: 'R', match: { priority: '>=debug' }, steps: [{ action: 'acme:gone' }] }
    const config = files.write('yarak.yaml', {
      ...{ version: 1, mode: 'enforce', listen: '127.0.0.1:0', plugins: ['acme-yarak'], rules: [rule] },
      inputs: { file: { path: 'events.jsonl', from: 'beginning' } },
      outputs: { file: { path: 'told.jsonl', tell: 'responses' } },
    })
    const ran = await launch(['run', '--config', config, '--once'], { cwd: files.at('.') }).ended
    expect(ran.err).not.toContain('MODULE_TYPELESS')
    expect(ran.code).toBe(0)
    expect(readFileSync(files.at('told.jsonl'), 'utf8')).toContain('"outcome":"gone"')
  })
})

const PACKAGE = `
import { defineAction, YarakError, z } from 'yarak/plugin'
export const gone = defineAction({
  type: 'acme:gone',
  summary: 'Finds nothing, which is a success.',
  config: z.strictObject({}),
  changes: 'nothing',
  run: async () => { throw new YarakError('gone', 'not there', { permanent: true }) },
})
`

describe('what plugins declare', () => {
  const config = (): string =>
    files.write('yarak.yaml', {
      ...{ version: 1, mode: 'enforce', plugins: [resolve(ROOT, 'test/fixtures/plugins/acme.ts')] },
      rules: [{ rule: 'R', match: { rules: ['x'] }, steps: [{ action: 'acme:act', with: { word: 'a' } }] }],
    })

  it('is in the schema, in each list, and in the roles', async () => {
    const run = async (...args: string[]) => (await yarak([...args, '--config', config()])).out
    expect(await run('schema')).toContain('"acme:act"')
    for (const [kind, type] of Object.entries({
      inputs: 'acmewords',
      outputs: 'acmetell',
      contexts: 'acme',
      resources: 'acme',
    }))
      expect(await run('list', kind), kind).toMatch(new RegExp(`^${type} `, 'm'))
    expect(await run('rbac')).toMatch(/acme\.example\n +resources:\n +- words\n +verbs:\n +- get\n/)
  })
})

describe('a fault of a plugin', () => {
  const broken = () => files.write('yarak.yaml', 'version: 1\nplugins:\n  - ./none.ts\n')

  it.each([['check'], ['run'], ['list', 'actions'], ['schema'], ['rbac']])(
    'ends `%s` with its place',
    async (...command) => {
      const { code, out, err } = await yarak([...command, '--config', broken()])
      expect({ code, out }).toEqual({ code: 1, out: '' })
      expect(err).toMatch(/yarak\.yaml:3:5: error: plugins\[0\]: cannot import \.\/none\.ts/)
      expect(err).toContain('  3 |   - ./none.ts\n')
    },
  )
})
