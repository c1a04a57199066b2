import { mkdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { falcoFindings, findFalco } from '../../src/doctor/falco.ts'
import { readFalco } from '../../src/doctor/falco-file.ts'
import { settingFindings } from '../../src/doctor/falco-settings.ts'
import { ruleFindings } from '../../src/doctor/rules.ts'
import { folder, lines, optionsOf } from './_kit.ts'

const files = folder()

const RIGHT = 'json_output: true\nrule_matching: all\nsyscall_event_drops: {actions: [log, alert]}\n'
const settings = (text: string) => settingFindings(readFalco(files.write('falco.yaml', text), {}))

/** What is right, with one line in the place of that of its key, or below. */
const changed = (line: string): string[] => {
  const [key = ''] = line.split(':')
  const own = RIGHT.trim().split('\n')
  const at = own.findIndex((one) => one.startsWith(`${key}:`))
  return at < 0 ? [...own, line] : own.with(at, line)
}

describe('settings that lose or spoil events', () => {
  it.each([
    ['json_output: false', 'fail', 'json_output'],
    ['json_include_output_fields_property: false', 'fail', 'json_include_output_fields_property'],
    ['json_include_output_property: false', 'warn', 'json_include_output_property'],
    ['json_include_tags_property: false', 'warn', 'json_include_tags_property'],
    ['buffered_outputs: true', 'warn', 'buffered_outputs'],
    ['outputs_queue: {capacity: 10}', 'warn', 'outputs_queue.capacity'],
    ['output_timeout: 100', 'warn', 'output_timeout'],
    ['rule_matching: first', 'warn', 'rule_matching'],
    ['syscall_event_drops: {actions: [ignore]}', 'warn', 'syscall_event_drops.actions'],
    ['syscall_event_drops: {actions: [log, exit]}', 'warn', 'syscall_event_drops.actions'],
    ['syscall_event_drops: {actions: [log], simulate_drops: true}', 'fail', 'syscall_event_drops.simulate_drops'],
    ['base_syscalls: {custom_set: [open]}', 'warn', 'base_syscalls.custom_set'],
    ['log_level: critical', 'warn', 'log_level'],
    ['syscall_event_drops: {actions: []}', 'warn', 'syscall_event_drops.actions'],
    ['syscall_event_drops: {actions: [log], threshold: 1}', 'warn', 'syscall_event_drops.threshold'],
    ['outputs: {rate: 1, max_burst: 1000}', 'warn', 'outputs.rate'],
    [
      'engine: {kind: modern_ebpf, modern_ebpf: {drop_failed_exit: true}}',
      'warn',
      'engine.modern_ebpf.drop_failed_exit',
    ],
    ['engine: {kmod: {buf_size_preset: 1}}', 'warn', 'engine.kmod.buf_size_preset'],
    ['syscall_drop_failed_exit: true', 'warn', 'syscall_drop_failed_exit'],
    ['syscall_buf_size_preset: 3', 'warn', 'syscall_buf_size_preset'],
    ['http_output: {echo: true}', 'warn', 'http_output.echo'],
    ['http_output: {max_consecutive_timeouts: 0}', 'warn', 'http_output.max_consecutive_timeouts'],
    ['program_output: {enabled: true, program: x}', 'warn', 'program_output.enabled'],
  ])('%s is a %s', (text, status, name) => {
    const all = changed(text)
    const found = settings(all.join('\n'))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatchObject({ group: 'falco', name, status, remedy: expect.any(String) as string })
    expect(found[0]?.place).toMatch(new RegExp(`falco\\.yaml:${all.indexOf(text) + 1}:\\d+$`))
  })

  it.each([
    'json_output: true',
    'buffered_outputs: false',
    'rule_matching: all',
    'outputs_queue: {capacity: 10000}',
    'output_timeout: 2000',
    'syscall_event_drops: {actions: [log, alert], simulate_drops: false}',
    'base_syscalls: {custom_set: []}',
    'base_syscalls: {custom_set: [open], repair: true}',
    'log_level: info',
    'http_output: {echo: false, max_consecutive_timeouts: 5}',
    'program_output: {enabled: false}',
    'outputs: {rate: 0, max_burst: 1000}',
    'syscall_event_drops: {actions: [log], threshold: 0.1}',
    'syscall_event_drops: {actions: alert}',
    'engine: {kind: modern_ebpf, modern_ebpf: {buf_size_preset: 4, drop_failed_exit: false}, kmod: {buf_size_preset: 1}}',
    'engine: {kind: replay, replay: {capture_file: x}}',
    'syscall_buf_size_preset: 4',
  ])('%s is right', (text) => expect(settings(changed(text).join('\n'))).toEqual([]))

  it('a setting that is absent has the default of the program: alerts are text, and the like', () => {
    const found = settings('priority: debug\n')
    expect(found.map(({ name, status, place }) => [name, status, place])).toEqual([
      ['json_output', 'fail', files.at('falco.yaml')],
      ['rule_matching', 'warn', files.at('falco.yaml')],
      ['syscall_event_drops.actions', 'warn', files.at('falco.yaml')],
    ])
  })

  it.each([
    'http_output: 3\nrules_files: 5\nengine: x\noutputs: []\nappend_output: {}\n',
    'config_files: {}\nrules: no\npriority: [debug]\nsyscall_event_drops: yes\n',
    'config_files: [{path: 3}, 7, null]\n',
    '[]',
    '',
    'null',
    '*nobody',
    `a: &a [x, x]\n${Array.from({ length: 200 }, (_, i) => `b${i}: [*a, *a]`).join('\n')}\n`,
  ])('what is no configuration of Falco is told of, and no reason to fall over: %j', (text) => {
    const found = falcoFindings(findFalco(files.write('falco.yaml', text), {}), optionsOf(HTTP))
    expect(found.length).toBeGreaterThan(0)
    expect(found.every(({ status, message }) => status !== 'ok' && message !== '')).toBe(true)
  })

  it('what looks wrong and is not, is said to be right', () => {
    expect(lines(settings(`${RIGHT}outputs_queue: {capacity: 0}\ntime_format_iso_8601: false\n`))).toEqual([
      expect.stringMatching(/^ok outputs_queue.capacity: without bound/),
      expect.stringMatching(/^ok time_format_iso_8601: only the text/),
    ])
  })

  it('the place is that of the value', () => {
    const [found] = settings(`${RIGHT}\nhttp_output:\n  enabled: false\n  echo: true\n`)
    expect(found?.place).toBe(`${files.at('falco.yaml')}:7:9`)
  })
})

describe('the files that falco.yaml takes in', () => {
  const read = (main: string, more: Readonly<Record<string, string>>, env = {}) => {
    mkdirSync(files.at('config.d'))
    for (const [name, text] of Object.entries(more)) files.write(`config.d/${name}`, text)
    return readFalco(files.write('falco.yaml', main), env)
  }

  it('come in order; a map is replaced as a whole, a list grows', () => {
    const falco = read('config_files: [/nowhere/config.d]\nlist: [a]\nmap: {a: 1, b: 2}\n', {
      '2.yaml': 'map: {a: 3}\n',
      '1.yml': 'map: {a: 2}\nlist: [b]\n',
      'ignored.txt': 'map: {a: 9}\n',
    })
    expect([falco.get('map.a'), falco.get('map.b'), falco.get('list')]).toEqual([3, undefined, ['a', 'b']])
    expect(falco.place('map.a')).toBe(`${files.at('config.d/2.yaml')}:1:10`)
  })

  it.each([
    ['override', ['b']],
    ['add-only', ['a']],
    ['append', ['a', 'b']],
  ])('by strategy %s', (strategy, list) => {
    const main = `config_files: [{path: config.d, strategy: ${strategy}}]\nlist: [a]\n`
    expect(read(main, { '1.yaml': 'list: [b]\n' }).get('list')).toEqual(list)
  })

  it('variables are put in where they are known here', () => {
    const falco = read(
      'a: ${ON}\nb: "${NUMBER}"\nc: ${HERE}/x\nd: ${ABSENT}\n',
      {},
      { ON: 'true', NUMBER: '7', HERE: '/h' },
    )
    expect(['a', 'b', 'c', 'd'].map((key) => falco.get(key))).toEqual([true, 7, '/h/x', '${ABSENT}'])
  })

  it('a file that is no YAML is told with its place', () => {
    const found = findFalco(files.write('falco.yaml', 'a: [1\n'), {})
    expect(found).toMatchObject({
      finding: { status: 'fail', message: expect.stringContaining('falco.yaml:2:1') as string },
    })
  })

  it('a file that is named and not there fails; without a name it is left out', () => {
    expect(findFalco(files.at('none.yaml'), {})).toMatchObject({ finding: { status: 'fail' } })
  })
})

const HTTP = { listen: '127.0.0.1:2801', inputs: { http: {} } }
const post = (url: string, more = '') =>
  `${RIGHT}http_output: {enabled: true, url: "${url}", keep_alive: true${more}}\n`
const judged = (text: string, config: object) =>
  lines(falcoFindings(findFalco(files.write('falco.yaml', text), {}), optionsOf(config)))

describe('where Falco sends its alerts', () => {
  it('to our input: all is well', () => {
    expect(judged(post('http://127.0.0.1:2801/'), HTTP)).toEqual([
      expect.stringMatching(/^ok falco.yaml: .* loses nothing that is known of$/),
      'ok http_output.url: it leads to http at 127.0.0.1:2801',
    ])
  })

  it.each([
    ['nowhere', RIGHT, HTTP, /^warn http_output: Falco posts nothing, and http waits for it/],
    ['to no address', post('::'), HTTP, /^fail http_output.url: it is no address/],
    ['to another port', post('http://gateway:9999/'), HTTP, /^warn http_output.url: gateway:9999 is no port of ours/],
    ['by TLS to a plain listener', post('https://gateway:2801/'), HTTP, /^fail http_output.url: .* speaks plain HTTP/],
    [
      'to another path',
      post('http://gateway:2801/x'),
      HTTP,
      /^fail http_output.url: no input takes events at its path/,
    ],
    [
      'without the proof that is asked for',
      post('http://gateway:2801/'),
      { ...HTTP, inputs: { http: { token: 'a-token-of-ours' } } },
      /^fail http_output.url: http asks for a proof/,
    ],
    [
      'on connections that nobody probes',
      `${RIGHT}http_output: {enabled: true, url: "http://gateway:2801/"}\n`,
      HTTP,
      /^warn http_output.keep_alive/,
    ],
    ['to anybody', post('https://gateway/', ', insecure: true'), HTTP, /^warn http_output.insecure/],
    ['to no file', RIGHT, { inputs: { file: { path: '/var/log/f.log' } } }, /^warn file_output: Falco writes no file/],
    [
      'to another file',
      `${RIGHT}file_output: {enabled: true, filename: /other.txt}\n`,
      { inputs: { file: { path: '/var/log/f.log' } } },
      /^warn file_output.filename: no input reads/,
    ],
    [
      'to a file that rotates under it',
      `${RIGHT}file_output: {enabled: true, filename: /var/log/f.log, keep_alive: true}\n`,
      { inputs: { file: { path: '/var/log/{e,f}.l*' } } },
      /^warn file_output.keep_alive/,
    ],
  ])('%s', (_what, text, config, expected) => {
    expect(judged(text, config)).toContainEqual(expect.stringMatching(expected))
  })

  it.each([
    ['basic', { basic: { username: 'falco', password: 'a-password' } }, 'http://falco:a-password@g:2801/'],
    ['secretPath', { secretPath: 'a-secret-path' }, 'http://g:2801/in/a-secret-path'],
    ['catchAll', { catchAll: true }, 'http://g:2801/any/thing'],
  ])('a proof by %s leads to the input, and is not told', (_what, input, url) => {
    const found = judged(post(url), { ...HTTP, inputs: { http: input } })
    expect(found).toContainEqual('ok http_output.url: it leads to http at 127.0.0.1:2801')
    expect(found.join()).not.toMatch(/a-password|a-secret-path/)
  })

  it('a pattern of a file input means the file of the same name elsewhere', () => {
    const text = `${RIGHT}file_output: {enabled: true, filename: /host/falco.json}\n`
    expect(judged(text, { inputs: { file: { path: '/logs/falco*.json' } } })).toContainEqual(
      'ok file_output.filename: /host/falco.json is read',
    )
  })
})

const rule = (match: object) => [{ rule: 'Ours', match, steps: [{ action: 'log', with: { message: 'x' } }] }]

describe('the priority below which Falco leaves alerts out', () => {
  it('fails when a rule can never be reached', () => {
    const found = judged(`${RIGHT}priority: warning\n`, { rules: rule({ priority: '<=notice' }) })
    expect(found).toContainEqual(expect.stringMatching(/^fail priority: rule "Ours" is about alerts below Warning/))
  })

  it.each([
    ['debug', { priority: '<=notice' }, false],
    ['notice', {}, false],
    ['warning', {}, true],
    ['critical', { priority: '>=critical' }, true],
  ])('%s with a rule of %j: warns %s', (priority, match, warns) => {
    const found = judged(`${RIGHT}priority: ${priority}\n`, { rules: rule(match) })
    expect(found.some((one) => one.startsWith('warn priority'))).toBe(warns)
  })
})

describe('the rules of Falco that ours name', () => {
  const RULES = `
- rule: Terminal shell in container
  desc: d
  condition: spawned_process
  output: shell (container=%container.id)
  priority: NOTICE
- rule: Off
  desc: d
  condition: x
  output: off
  priority: NOTICE
  enabled: false
`
  const found = (names: readonly string[], main = 'rules_files: [/nowhere/rules.yaml]\n') => {
    files.write('rules.yaml', RULES)
    const falco = readFalco(files.write('falco.yaml', RIGHT + main), {})
    return ruleFindings(falco, optionsOf({ rules: rule({ rules: names }) }))
  }

  it('are there', () =>
    expect(lines(found(['Terminal shell in container']))).toEqual([
      'ok Falco rules: of 2 in 1 file all are there that ours name',
    ]))

  it('are not there', () => {
    expect(lines(found(['Terminal shel in container']))).toEqual([
      expect.stringMatching(
        /^warn Falco rules: rule "Ours": Falco has no rule "Terminal shel in container"; did you mean/,
      ),
    ])
  })

  it('are off, with what turns them on', () => {
    const [one] = found(['Off'])
    expect(one).toMatchObject({ status: 'warn', remedy: expect.stringContaining('enabled: true') as string })
  })

  it('are unknown without a falco.yaml, or without the files that it lists', () => {
    expect(lines(ruleFindings(undefined, optionsOf({})))[0]).toMatch(/^skip/)
    expect(lines(found(['Off'], 'rules_files: [/nowhere/other.yaml]\n'))[0]).toMatch(/^skip/)
  })
})
