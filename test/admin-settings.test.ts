import { describe, expect, it } from 'vitest'
import { adminClients, adminListeners, auditPath, loadConfig, printProblems } from '../src/config/index.ts'

const none = { inputs: [], outputs: [], actions: [], resources: [], contexts: [] }

const load = (text: string) => loadConfig({ file: 'yarak.yaml', text: `version: 1\n${text}`, env: {}, plugins: none })

/** The problems, each with its place. */
const problems = (text: string): string[] =>
  load(text).problems.map(({ line, column, message }) => `${line}:${column} ${message}`)

const listenersOf = (text: string) => {
  const { options, problems: found } = load(text)
  if (!options) throw new Error(printProblems(found))
  return adminListeners(options)
}

describe('where the admin routes are', () => {
  it.each([
    ['', [{ path: '.yarak/admin.sock' }]],
    ['dataDir: /var/lib/yarak', [{ path: '/var/lib/yarak/admin.sock' }]],
    ['admin: { listen: "off" }', []],
    ['admin: { listen: off }', []],
    ['admin: { listen: unix:/run/yarak.sock }', [{ path: '/run/yarak.sock' }]],
    ['admin: { listen: "[::]:2802", token: t }', [{ host: '::', port: 2802 }]],
    ['admin: { listen: [unix:/a, "h:1"], viewToken: t }', [{ path: '/a' }, { host: 'h', port: 1 }]],
    ['admin: { listen: { address: "h:1" }, clients: [{ name: a, role: view, token: t }] }', [{ host: 'h', port: 1 }]],
  ])('%s', (text, expected) => {
    expect(listenersOf(text)).toEqual(expected)
  })

  it.each([
    ['admin:\n  listen: nowhere', '3:11 admin.listen: must be host:port such as'],
    ['admin:\n  listen: 2802', '3:11 admin.listen'],
    ['admin:\n  listen: { adress: "h:1" }', '3:13 admin.listen.adress is not a known setting'],
    ['admin:\n  listen: { address: "h:1", inputs: [] }', '3:29 admin.listen.inputs is not a known setting'],
    ['admin:\n  listen: 127.0.0.1:2802', '3:11 admin.listen: needs a way to know who asks: set admin.token'],
    ['admin:\n  listen: [unix:/a, "h:1"]', '3:21 admin.listen[1]: needs a way to know who asks'],
    [
      'admin:\n  listen: h:1\n  clients: [{ name: a, role: view, certificate: a }]',
      '3:11 admin.listen: needs a way to know who asks',
    ],
    ['admin:\n  listen: [unix:/a, unix:/a]', '3:11 admin.listen: unix:/a is listened at already'],
    [
      'admin:\n  listen: { address: "h:1", tls: { certFile: a, keyFile: a, caFile: a, clientAuth: none } }\n' +
        '  clients: [{ name: a, role: view, certificate: a }]',
      '3:11 admin.listen: needs a way to know who asks',
    ],
    ['listen: unix:/a\nadmin:\n  listen: unix:/a', '4:11 admin.listen: unix:/a is listened at already'],
    [
      'admin: { token: t, listen: { address: "h:1", tls: { certFile: none.crt, keyFile: none.key } } }',
      '2:63 admin.listen.tls.certFile cannot be read: there is no such file',
    ],
  ])('%s is wrong', (text, expected) => {
    expect(problems(text).map((problem) => problem.slice(0, expected.length))).toContain(expected)
  })

  it('a path that is too long for a socket is told, with what to do', () => {
    const long = `/data/${'x'.repeat(100)}`
    expect(problems(`dataDir: ${long}`)).toEqual([
      `2:10 admin.listen: the path of unix:${long}/admin.sock has 117 bytes, and the system takes 107: ` +
        'set admin.listen to a shorter one such as unix:/run/yarak/admin.sock, or to off',
    ])
    expect(problems(`dataDir: ${long}\nadmin: { listen: unix:/run/a.sock }`)).toEqual([])
    expect(problems(`admin: { listen: unix:${'ü'.repeat(54)} }`)).toHaveLength(1)
    expect(problems(`admin: { listen: unix:${'x'.repeat(107)} }`)).toEqual([])
  })
})

describe('who is known', () => {
  it('those of the two tokens, and further ones by name', () => {
    const clients = [
      { name: 'ci', role: 'view', token: 'c' },
      { name: 'carol', role: 'operate', certificate: 'carol' },
    ]
    const { options } = load(`admin: { token: a, viewToken: b, clients: ${JSON.stringify(clients)} }`)
    expect(options && adminClients(options.admin)).toEqual([
      { name: 'token', role: 'operate', token: 'a' },
      { name: 'viewToken', role: 'view', token: 'b' },
      ...clients,
    ])
  })

  it.each([
    ['{ name: a, role: view }', 'needs either a token or a certificate'],
    ['{ name: a, role: view, token: t, certificate: c }', 'needs either a token or a certificate'],
    ['{ name: "a b", role: view, token: t }', 'must be letters, digits'],
    ['{ name: a, role: root, token: t }', 'must be one of view, operate'],
    ['{ name: a, role: view, token: t }, { name: a, role: view, token: u }', 'is that of another client'],
    ['{ name: a, role: view, token: same }', 'is that of another client'],
    ['{ name: token, role: view, token: t }', 'is that of another client'],
    ['{ name: unix, role: view, token: t }', 'is that of another client'],
    [
      '{ name: a, role: view, certificate: c }, { name: b, role: operate, certificate: c }',
      'certificate: is that of another client',
    ],
  ])('%s is wrong', (client, message) => {
    const found = problems(`admin: { token: same, clients: [${client}] }`)
    expect(found[0]).toMatch(/^2:\d+ admin\.clients\[\d\]/)
    expect(found[0]).toContain(message)
  })

  it('one token does not have two roles, and none is ever shown', () => {
    const { problems: found } = load('admin: { token: hushhush, viewToken: hushhush }')
    expect(found.map(({ message }) => message)).toEqual(['admin.viewToken: must not be admin.token'])
    expect(printProblems(found)).not.toContain('hush')
  })
})

describe('the audit record', () => {
  it.each([
    ['', '.yarak/audit.jsonl'],
    ['dataDir: /d', '/d/audit.jsonl'],
    ['admin: { audit: { file: /var/log/audit.jsonl } }', '/var/log/audit.jsonl'],
    ['admin: { audit: { enabled: false } }', undefined],
  ])('%s', (text, expected) => {
    const { options } = load(text)
    expect(options && auditPath(options)).toBe(expected)
  })
})
