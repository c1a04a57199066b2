import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toJson } from '../src/event.ts'
import { createRedact, redactSettings } from '../src/redact.ts'
import { anEvent, aReport, oddEvents } from '../src/testing.ts'

const redactor = (settings: object) => createRedact(redactSettings.parse(settings))

const R = '[redacted]'
const ALL = { presets: ['tokens', 'passwords', 'emails'] }

describe('settings', () => {
  it('redact nothing by default', () => {
    const event = anEvent({ output: 'password=x' })
    expect(redactor({})(event)).toBe(event)
    expect(redactor({}).text('password=x')).toBe('password=x')
    const report = aReport()
    expect(redactor({}).report(report, event)).toBe(report)
  })

  it.each([
    [{ patterns: ['('] }, /is not an expression of RE2/],
    [{ patterns: ['(?=x)'] }, /is not an expression of RE2/],
    [{ patterns: ['x*'] }, /must not match an empty text/],
    [{ patterns: ['a'.repeat(2_001)] }, /at most 2000 characters/],
    [{ patterns: ['b', 'redact'] }, /must not match the replacement/],
    [{ replacement: '' }, /must be a word without quotes/],
    [{ replacement: 'a b' }, /must be a word without quotes/],
    [{ presets: ['phones'] }, /Invalid option/],
    [{ fields: [''] }, /Too small/],
    [{ field: ['x'] }, /Unrecognized key/],
  ])('refuse %j', (settings, message) => {
    expect(() => redactSettings.parse(settings)).toThrow(message)
  })
})

describe('fields', () => {
  it('are redacted whole, and their values in the text too', () => {
    const event = anEvent({
      output: 'ran "nc -e sh" by root, 4711',
      output_fields: { 'proc.cmdline': 'nc -e sh', n: 4711 },
    })
    const redacted = redactor({ fields: ['proc.cmdline', 'n'] })(event)
    expect(redacted.output).toBe(`ran "${R}" by root, ${R}`)
    expect(redacted.fields).toEqual({ 'proc.cmdline': R, n: R })
    expect(redacted.field('proc.cmdline')).toBe(R)
    expect(redacted.toJSON()).toEqual({ ...event.toJSON(), output: redacted.output, output_fields: redacted.fields })
  })

  it('keep their name, their null, and short values stay in the text', () => {
    const event = anEvent({ output: 'abc a', output_fields: { x: 'abc', y: null } })
    const redacted = redactor({ fields: ['x', 'y'] })(event)
    expect(redacted.output).toBe('abc a')
    expect(redacted.fields).toEqual({ x: R, y: null })
  })

  it('are named with wildcards, in any case, and inside of others', () => {
    const output_fields = {
      'proc.aname[2]': 'one-',
      'proc.anameX2]': 'two-',
      'ka.req': { Spec: { Password: 'deep-secret', ok: ['x', { passWord: 12345 }] } },
    }
    const event = anEvent({ output: 'one- two- deep-secret 12345', output_fields, more: { a: { password: 'mine' } } })
    const redacted = redactor({ fields: ['PROC.aname[*]', '*password'] })(event)
    expect(redacted.fields).toEqual({
      'proc.aname[2]': R,
      'proc.anameX2]': 'two-',
      'ka.req': { Spec: { Password: R, ok: ['x', { passWord: R }] } },
    })
    expect(redacted.extra).toEqual({ more: { a: { password: R } } })
    expect(redacted.output).toBe(`${R} two- ${R} ${R}`)
  })

  it('hide what is inside of them in the text, the longest first', () => {
    const output_fields = { secret: { a: 'abcd', b: ['abcd-efgh', false] } }
    const redacted = redactor({ fields: ['secret'] })(
      anEvent({ output: 'abcd-efgh abcd {"a":1} false', output_fields }),
    )
    expect(redacted.output).toBe(`${R} ${R} {"a":1} false`)
  })

  it('go into no replacement as a pattern', () => {
    const event = anEvent({ output: 'x $& y', output_fields: { a: 'x $&' } })
    expect(redactor({ fields: ['a'], replacement: '$&$1' })(event).output).toBe('$&$1 y')
  })
})

describe('patterns', () => {
  it('are looked for in texts, numbers, tags, names inside and members of others', () => {
    const event = anEvent({
      output: 'card 4111111111111111',
      output_fields: { card: 4111111111111111, list: ['a 4111111111111111'], map: { x4111111111111111: true }, n: 1.5 },
      tags: ['4111111111111111', 'other'],
      message: 'card 4111111111111111',
      more: '4111111111111111',
    })
    const redacted = redactor({ patterns: [String.raw`\d{16}`] })(event)
    expect(redacted.fields).toEqual({ card: R, list: [`a ${R}`], map: { [`x${R}`]: true }, n: 1.5 })
    expect(redacted).toMatchObject({ output: `card ${R}`, tags: [R, 'other'], extra: { more: R } })
    expect(redacted.toJSON().message).toBe(`card ${R}`)
  })

  it('are replaced whole, whatever groups they have', () => {
    expect(redactor({ patterns: ['a(b)(c)?'] }).text('xabcx ab')).toBe(`x${R}x ${R}`)
  })

  it('leave rule, priority, time, source, hostname and uuid', () => {
    const event = anEvent({ rule: 'a1', hostname: 'a1', source: 'a1', uuid: 'a1', output: 'a1' })
    const redacted = redactor({ patterns: ['a1'] })(event)
    expect(redacted).toMatchObject({ rule: 'a1', hostname: 'a1', source: 'a1', uuid: 'a1', output: R, id: event.id })
  })

  it('keep the members Falco knows when another gets their name', () => {
    const event = anEvent({ xx: 'mine' })
    expect(redactor({ patterns: ['xx'], replacement: 'rule' })(event).rule).toBe(event.rule)
  })
})

describe('presets', () => {
  const hidden: readonly (readonly [string, string])[] = [
    ['mysql -uroot -phunter2 db', `mysql -uroot -p${R} db`],
    ['mysql -h db-prod -P 3306 -p hunter2', `mysql -h db-prod -P 3306 -p ${R}`],
    ['mysqldump -h x --password=a,b;c', `mysqldump -h x --password=${R}`],
    ['tool --db-password "a b" -v', `tool --db-password "${R}" -v`],
    ["tool --passphrase 'a b'c -v", `tool --passphrase '${R}' -v`],
    ['PASSWORD=x MYSQL_PWD=y DB_PASS=z', `PASSWORD=${R} MYSQL_PWD=${R} DB_PASS=${R}`],
    ['{"password":"a\\"b c","user":"d"}', `{"password":"${R}","user":"d"}`],
    ['password="never closed', `password="${R}`],
    ['psql postgres://u:p@ss@h/x', `psql postgres://u:${R}@h/x`],
    ['app -p hunter2', `app -p ${R}`],
    ['app -p 1234a', `app -p ${R}`],
    ['sshpass -p 1234 ssh x', `sshpass -p ${R} ssh x`],
    ['docker login -u me -p 0xyz reg', `docker login -u me -p ${R} reg`],
    ['redis-cli -h r -a hunter2 ping', `redis-cli -h r -a ${R} ping`],
    ['curl -s -u bob:pw http://x', `curl -s -u bob:${R} http://x`],
    ['curl -H "Authorization: Bearer abc" x', `curl -H "Authorization: Bearer ${R}" x`],
    ["curl -H 'authorization: basic dTpw' x", `curl -H 'authorization: basic ${R}' x`],
    ['bearer abcdefghijklmnop.qrs==', `bearer ${R}`],
    ['x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln y', `x ${R} y`],
    ['AKIAIOSFODNN7EXAMPLE', R],
    ['aws_secret_access_key = wJalrXUtnFEMI/K7MDENG', `aws_secret_access_key = ${R}`],
    ['ACCESS_TOKEN=a api-key: b client_secret="c"', `ACCESS_TOKEN=${R} api-key: ${R} client_secret="${R}"`],
    [`git clone https://x:ghp_${'a1'.repeat(18)}@h`, `git clone https://x:${R}@h`],
    [`github_pat_${'a'.repeat(30)}`, R],
    [`${'xox'}b-123456789012-abcdef`, R],
    ['https://hooks.slack.com/services/T0/B0/xyz', `https://hooks.slack.com/services/${R}`],
    [`AIza${'b'.repeat(35)} ya29.a0AfH6SMBxyz`, `${R} ${R}`],
    ['-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- x', `${R} x`],
    ['-----BEGIN PRIVATE KEY-----\nMIIE, cut', R],
    ['to a.b+c@mail.example.org, müller@bücher.de', `to ${R}, ${R}`],
  ]

  it.each(hidden)('%s', (text, expected) => {
    const { text: redact } = redactor(ALL)
    expect(redact(text)).toBe(expected)
    expect(redact(expected)).toBe(expected)
  })

  it.each([
    'ssh -p 22 host',
    'docker run -p 80:80 -p 127.0.0.1:8080:80 nginx',
    'mkdir -p /tmp/x',
    'cp -p ./a ~/b',
    'PWD=/home/eve OLDPWD=/',
    'bypass=1 compass=2',
    'passwd root',
    'cat /etc/passwd',
    'http://host:8080/path?a=b@c',
    'a@b',
    'the bearer of this',
    'token ring',
    'xoxo AKIA gh_ eyJ',
  ])('leave %s', (text) => {
    expect(redactor(ALL).text(text)).toBe(text)
  })

  const secret = fc
    .string({ unit: fc.constantFrom(...'abcXYZ0123456789_+=%#!.,;&|'), minLength: 8, maxLength: 24 })
    .filter((text) => /[a-z]/i.test(text))

  it.each<[string, (secret: string) => string]>([
    ['an option', (one) => `tool --password=${one} -v`],
    ['an option with a blank', (one) => `tool --db-passwd ${one} -v`],
    ['quotes', (one) => `tool --password="${one} ${one}" -v`],
    ['single quotes', (one) => `PASSWORD='${one} ${one}' tool`],
    ['a variable', (one) => `export MYSQL_PWD=${one}`],
    ['JSON', (one) => JSON.stringify({ user: 'u', password: one, next: 1 })],
    ['JSON inside of a command', (one) => `curl -d '${JSON.stringify({ api_key: one })}' http://x`],
    ['mysql', (one) => `mysqldump -uroot -p${one} db`],
    ['an address', (one) => `git clone https://user:${one}@example.com/x.git`],
    ['curl', (one) => `curl -sS --user bob:${one} http://x`],
    ['a header', (one) => `curl -H 'Authorization: Bearer ${one}' http://x`],
    ['a header without its quotes', (one) => `curl -H Authorization: Basic ${one} http://x`],
    ['a token', (one) => `ACCESS_TOKEN=${one} tool`],
  ])('leave nothing of a secret in %s', (_form, write) => {
    const { text } = redactor(ALL)
    fc.assert(
      fc.property(secret, (one) => {
        const redacted = text(write(one))
        expect(redacted).not.toContain(one)
        expect(redacted).toContain(R)
      }),
    )
  })

  it('change nothing more when they are applied again', () => {
    const words = [
      'password=',
      'pass:',
      'api_key=',
      'authorization: ',
      'basic ',
      'bearer ',
      'mysql ',
      'curl ',
      '--pass ',
    ]
    const marks = [
      '"',
      "'",
      ' ',
      '-p ',
      '-pX',
      '-u ',
      'http',
      '://',
      'u:',
      '@',
      'x',
      '\\',
      '\n',
      '{',
      '}',
      ',',
      '/',
      '.',
    ]
    const keys = ['AKIA', 'eyJabcdefgh1', '12345678', 'a.co', 'hooks.slack.com/services/', 'redis-cli ', '-a ']
    const unit = fc.constantFrom(...words, ...marks, ...keys)
    const { text } = redactor(ALL)
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 20, size: 'max' }), (given) => {
        const once = text(given)
        expect(text(once)).toBe(once)
      }),
      { numRuns: 1_000, examples: [['authorization: -p mysql password= -pX']] },
    )
  })

  it('take time in proportion to a text that was made to be slow', () => {
    const { text } = redactor(ALL)
    for (const unit of ['password="', "pwd=' ", 'mysql -p ', 'http://a:', 'a@a.', 'curl -u a:', ' -p a', 'eyJ']) {
      text(unit.repeat(20_000))
    }
    for (const unit of ['-----BEGIN PRIVATE KEY-----', 'AKIAIOSFODNN7EXAMPLE', 'a@b.co ']) text(unit.repeat(20_000))
  })
})

describe('reports', () => {
  const step = {
    id: 's',
    action: 'kubernetes:log',
    outcome: 'failed',
    summary: 'read token=abc of web-1',
    output: 'API_KEY=abc\nran nc -e sh',
    objects: { file: 'access_token=abc', pod: 'web-1' },
    error: { code: 'failed', reason: 'x', message: 'bearer abcdefghijklmnopq' },
    attempts: 1,
    duration: 1,
  } as const

  it('are redacted in what came from outside', () => {
    const event = anEvent({ output_fields: { 'proc.cmdline': 'nc -e sh' } })
    const redact = redactor({ ...ALL, fields: ['proc.cmdline'] })
    const report = redact.report(aReport({ steps: [step] }), event)
    expect(report).toEqual(
      aReport({
        steps: [
          {
            ...step,
            output: `API_KEY=${R}\nran ${R}`,
            objects: { file: `access_token=${R}`, pod: 'web-1' },
            error: { code: 'failed', reason: 'x', message: `bearer ${R}` },
          },
        ],
      }),
    )
  })

  it('are the same when there is nothing in them', () => {
    const report = aReport()
    expect(redactor(ALL).report(report)).toBe(report)
  })
})

describe('whatever the event says', () => {
  const odd = oddEvents()
  const text = fc.string({ unit: fc.constantFrom('s3cr3t', 's3', 'cr', '-', ' ', 'é', '"'), maxLength: 12 })
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      text,
      fc.bigInt({ min: 10n ** 18n, max: 10n ** 19n }),
      fc.constantFrom(null, true, 1.5),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(text, tie('value'), { maxKeys: 3 }),
    ),
  })).value
  const members = fc.record({
    output: text,
    output_fields: fc.dictionary(text, value, { maxKeys: 5 }),
    tags: fc.array(text, { maxLength: 3 }),
    other: value,
  })

  it('nothing that matches is left, and what does not match is as it was', () => {
    const redact = redactor({ patterns: ['s3cr3t'] })
    fc.assert(
      fc.property(members, (given) => {
        const event = anEvent(given)
        const json = toJson(event)
        const redacted = redact(event)
        expect(toJson(redacted)).not.toContain('s3cr3t')
        if (!json.includes('s3cr3t')) expect(redacted).toBe(event)
        else expect(redacted).not.toBe(event)
        expect(redact(redacted)).toBe(redacted)
        expect(toJson(redacted.output)).toBe(toJson(event.output.replaceAll('s3cr3t', R)))
        for (const name of Object.keys(redacted.fields)) expect(redacted.field(name)).toEqual(redacted.fields[name])
      }),
      { numRuns: 200 },
    )
  })

  it('no value of a redacted field is left', () => {
    const redact = redactor({ fields: ['hide'] })
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9 ]{4,20}$/), text, text, (secret, before, after) => {
        fc.pre(!R.includes(secret))
        const given = { output: `${before}${secret}${after}`, output_fields: { hide: secret } }
        const redacted = redact(anEvent(given))
        expect(redacted.output).not.toContain(secret)
        expect(redacted.fields).toEqual({ hide: R })
      }),
    )
  })

  it.each(odd.map(({ name, event }) => [name, event] as const))(
    'takes an event with %s, twice as once',
    (_name, event) => {
      const once = redactor({ ...ALL, fields: ['proc.*'] })(event)
      expect(redactor({ ...ALL, fields: ['proc.*'] })(once)).toBe(once)
      expect(redactor({ patterns: ['neverthere'] })(event)).toBe(event)
    },
  )

  it('keeps every digit, and who sent it', () => {
    const event = anEvent({ output: 'password=x', output_fields: { 'evt.time': 1_769_860_800_123_456_789n } })
    const redacted = redactor(ALL)(event)
    expect(toJson(redacted)).toContain('1769860800123456789')
    expect(redacted.output).toBe(`password=${R}`)
    expect(redacted).toMatchObject({ id: event.id, input: event.input })
    expect(Object.isFrozen(redacted.fields)).toBe(true)
  })
})
