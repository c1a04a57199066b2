import { execFile, spawn } from 'node:child_process'
import { createReadStream, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createStdout, descriptor, stdout } from '../../outputs/stdout.ts'
import type { Notice, Outcome } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, oddEvents, outputCases, testIo } from '../../src/testing.ts'

const NEVER = new AbortController().signal

interface Given {
  readonly terminal?: boolean
  readonly env?: Record<string, string>
  readonly config?: Parameters<typeof stdout>[0]
}

const written = async (notices: readonly Notice[], { terminal = false, env = {}, config = {} }: Given = {}) => {
  const texts: string[] = []
  const output = createStdout({ isTTY: () => terminal, write: async (text) => void texts.push(text) })
  const sender = await output.open(output.config.parse(config), testIo({ env }))
  await sender.send(notices, NEVER)
  return texts.join('')
}

/** A line as `pretty` writes it, without colours. */
const pretty = (notice: Notice) => written([notice], { config: { format: 'pretty' } })

const silent = createStdout({ isTTY: () => false, write: async () => {} })

describe('stdout', () => {
  for (const { name, run } of outputCases(silent, { config: {} })) it(name, run)
  for (const { name, run } of outputCases(silent, { config: { format: 'pretty' } })) it(`pretty: ${name}`, run)

  it('is a line of JSON for anything but a terminal', async () => {
    const lines = (await written([aNotice(), aNotice({ report: aReport() })])).split('\n')
    expect(lines).toHaveLength(3)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ rule: 'Terminal shell in container', uuid: anEvent().id })
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({ response: { outcome: 'succeeded' } })
    expect(lines[2]).toBe('')
  })

  it('has time, priority, rule, text and pod on a terminal', async () => {
    expect(await pretty(aNotice())).toBe(
      '12:00:00.123 Notice         Terminal shell in container  ' +
        'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)  ' +
        'default/web-1\n',
    )
  })

  it.each([
    ['2026-01-31T12:00:00Z', '12:00:00.000 '],
    ['2026-01-31T12:00:00.5+00:00', '12:00:00.500 '],
    ['2026-01-31T12:00:00.123456+0200', '12:00:00.123+02:00 '],
  ])('shows the time %s as %s', async (time, clock) => {
    expect(await pretty(aNotice({ event: anEvent({ time }) }))).toSatisfy((line: string) => line.startsWith(clock))
  })

  it('shows a pod only when there is one', async () => {
    const none = anEvent({ output: 'x', output_fields: { 'k8s.ns.name': null, 'k8s.pod.name': '<NA>' } })
    expect(await pretty(aNotice({ event: none }))).toMatch(/ {2}x\n$/)
    const meta = anEvent({ output: 'x', output_fields: { 'k8smeta.ns.name': 'a', 'k8smeta.pod.name': 'b' } })
    expect(await pretty(aNotice({ event: meta }))).toMatch(/ {2}x {2}a\/b\n$/)
  })

  it('tells of a report what was done, on one line', async () => {
    const [first, ...rest] = aReport().steps
    const steps = first ? [{ ...first, simulated: true }, ...rest] : []
    expect(await pretty(aNotice({ report: aReport({ steps, mode: 'observe' }) }))).toBe(
      '12:00:00.200 succeeded      Shell in a container  ' +
        'kubernetes:label succeeded, simulated, labelled default/web-1; kubernetes:terminate succeeded  ' +
        'pod/default/web-1  observe, 42 ms  trace 4bf92f3577b34da6a3ce929d0e0e4736\n',
    )
  })

  it('is coloured on a terminal, unless told otherwise', async () => {
    const ESC = '\u001b['
    const coloured = async (given: Given) => (await written([aNotice()], given)).includes(ESC)
    expect(await coloured({ terminal: true })).toBe(true)
    expect(await coloured({ terminal: true, env: { NO_COLOR: '1' } })).toBe(false)
    expect(await coloured({ terminal: true, config: { colour: 'never' } })).toBe(false)
    expect(await coloured({ config: { format: 'pretty' } })).toBe(false)
    expect(await coloured({ config: { format: 'pretty', colour: 'always' } })).toBe(true)
    expect(await coloured({ terminal: true, config: { format: 'json' } })).toBe(false)
  })

  it.each([
    ['Emergency', 31],
    ['Alert', 31],
    ['Critical', 31],
    ['Error', 31],
    ['Warning', 33],
    ['Notice', 36],
    ['Informational', 34],
    ['Debug', 90],
  ])('paints %s with the colour %i', async (priority, code) => {
    const line = await written([aNotice({ event: anEvent({ priority }) })], { terminal: true })
    expect(line).toContain(`\u001b[${code}m${priority}`)
  })

  it.each<[Outcome, number]>([
    ['succeeded', 32],
    ['gone', 32],
    ['skipped', 90],
    ['refused', 33],
    ['failed', 31],
    ['timed_out', 31],
    ['unknown', 31],
    ['interrupted', 31],
  ])('paints a response that %s with the colour %i', async (outcome, code) => {
    const line = await written([aNotice({ report: aReport({ outcome }) })], { terminal: true })
    expect(line).toContain(`\u001b[${code}m${outcome}`)
  })

  it.each(['pretty', 'json'] as const)('lets no event drive the terminal: %s', async (format) => {
    for (const { name, event } of oddEvents()) {
      const notices = [
        aNotice({ event }),
        aNotice({ event, report: aReport({ rule: event.rule, target: event.output }) }),
      ]
      const lines = (await written(notices, { config: { format } })).split('\n')
      expect(lines.length, name).toBe(3)
      for (const line of lines) expect(line, name).not.toMatch(/[\p{Cc}\u202e]/u)
    }
  })

  it('starts a line of its own after one that was cut short', async () => {
    const texts: string[] = []
    const write = async (text: string) => {
      texts.push(text)
      if (texts.length === 1) throw new Error('EPIPE')
    }
    const sender = await createStdout({ isTTY: () => false, write }).open({ format: 'json', colour: 'auto' }, testIo())
    await expect(sender.send([aNotice()], NEVER)).rejects.toThrow('EPIPE')
    await sender.send([aNotice()], NEVER)
    await sender.send([aNotice()], NEVER)
    expect(texts.map((text) => text.startsWith('\n'))).toEqual([false, true, false])
  })

  it('refuses what it does not know', () => {
    expect(() => stdout({ format: 'xml' } as never)).toThrow(/format must be one of auto, pretty, json/)
  })
})

const program = (body: string): string[] => [
  '--input-type=module',
  '--eval',
  `import { stdout } from ${JSON.stringify(new URL('../../outputs/stdout.ts', import.meta.url).href)}
   import { aNotice, anEvent, testIo } from ${JSON.stringify(new URL('../../src/testing.ts', import.meta.url).href)}
   const sender = await stdout.open(stdout.config.parse({}), testIo())
   const signal = AbortSignal.timeout(10_000)
   ${body}`,
]

describe('the standard output of a process', () => {
  it('gets every line, in order', async () => {
    const body = `await Promise.all([0, 1, 2].map((i) => sender.send([aNotice({ event: anEvent({ rule: 'r' + i }) })], signal)))`
    const { stdout: text } = await promisify(execFile)(process.execPath, program(body))
    const rules = text
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { rule: string }).rule)
    expect(rules).toEqual(['r0', 'r1', 'r2'])
  })

  it('gets all of a large line from a slow reader of a pipe that does not block', async () => {
    const body = `process.stdout.write(''); await sender.send([aNotice({ event: anEvent({ output: 'x'.repeat(2_000_000) }) })], signal)`
    const child = spawn(process.execPath, program(body), { stdio: ['ignore', 'pipe', 'inherit'] })
    let size = 0
    for await (const chunk of child.stdout) {
      size += (chunk as Buffer).length
      await new Promise(setImmediate)
    }
    expect(size).toBeGreaterThan(2_000_000)
  })

  it('fails for good when nobody reads any more', async () => {
    const body = `
      const event = anEvent({ output: 'x'.repeat(1_000_000) })
      const error = await sender.send([aNotice({ event })], signal).then(() => 'sent', (reason) => reason)
      console.error(JSON.stringify([error.code, error.permanent, error.message]))`
    const child = spawn(process.execPath, program(body), { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    let text = ''
    for await (const chunk of child.stderr) text += String(chunk)
    expect(JSON.parse(text)).toEqual(['failed', true, 'cannot write: EPIPE'])
  })
})

describe('descriptor', () => {
  it('writes all of a text, and knows a file from a terminal', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'yarak-stdout-'))
    const path = join(folder, 'out')
    const stream = descriptor(openSync(path, 'w', 0o600))
    expect(stream.isTTY()).toBe(false)
    await stream.write('é'.repeat(100_000), NEVER)
    let text = ''
    for await (const chunk of createReadStream(path, 'utf8')) text += String(chunk)
    expect(text).toBe('é'.repeat(100_000))
    rmSync(folder, { recursive: true })
  })
})
