import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { localScript } from '../../src/actions/local-script.ts'
import { aStep, perform, type Recorded, type StepOptions } from './step.ts'

type Params = Parameters<typeof perform<typeof localScript.config>>[1]

const env = { PATH: process.env.PATH, HOME: '/home/yarak', LANG: 'C.UTF-8', SECRET: 'hush', NODE_OPTIONS: '--x' }

const run = async (params: Params, options: StepOptions = {}) =>
  perform(localScript, params, await aStep({ env, ...options }))

/** A command that runs a line of shell: the test's own fixed text. */
const sh = (script: string, ...args: string[]) => ['/bin/sh', '-c', script, 'sh', ...args]

/** Waits until something is so; the test's time limit is the only one. */
const until = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await isSo())) await new Promise((done) => setTimeout(done, 10))
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('local:script', () => {
  it('runs a program and keeps what it writes', async () => {
    expect(await run({ command: ['echo', 'hello', 'there'] })).toEqual({
      summary: 'echo exited with 0',
      output: 'hello there\n',
    })
    expect(await run({ command: ['true'] })).toEqual({ summary: 'true exited with 0' })
  })

  it('hands values over as they are: no shell reads them', async () => {
    const nasty = '$(touch /tmp/x); `id` "quoted" \' ; rm -rf / \n && echo $HOME *'
    expect((await run({ command: ['printf', '%s', nasty] })).output).toBe(nasty)
    expect((await run({ command: sh('printf %s "$VALUE"'), env: { VALUE: nasty } })).output).toBe(nasty)
  })

  it('hands any argument over unchanged', async () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((one) => !one.includes('\0'))
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        expect((await run({ command: ['printf', '%s', value], stdin: 'none' })).output).toBe(value)
      }),
      { numRuns: 15 },
    )
  })

  it('gives the program PATH, HOME, LANG, the trace and what is set, and nothing else', async () => {
    const { output } = await run({ command: ['env'], env: { RULE: 'x' } })
    const names = output
      ?.trim()
      .split('\n')
      .map((line) => line.split('=')[0])
    expect(names?.sort()).toEqual(['HOME', 'LANG', 'PATH', 'RULE', 'TRACEPARENT'])
    expect(output).not.toContain('hush')
  })

  it('gives the event on the standard input, every digit kept', async () => {
    const { output } = await run({ command: ['cat'] }, { fields: { 'proc.name': 'sh', pid: 1 } })
    expect(JSON.parse(output ?? '')).toMatchObject({
      rule: 'Terminal shell in container',
      output_fields: { 'proc.name': 'sh' },
    })
    expect(await run({ command: ['cat'], stdin: 'none' })).not.toHaveProperty('output')
  })

  it('does not mind a program that reads no input', async () => {
    const fields = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`f${i}`, 'x'.repeat(4_000)]))
    expect((await run({ command: sh('exec <&-; echo done') }, { fields })).output).toBe('done\n')
  })

  it('runs in the directory it is told', async () => {
    const { step } = await aStep()
    const dir = join(step.dataDir, 'work')
    await mkdir(dir)
    expect((await run({ command: ['pwd'], cwd: dir })).output?.trim()).toMatch(/work$/)
  })

  it('keeps the first 64 KiB, marked, and a character whole', async () => {
    const { output } = await run({ command: sh('head -c 65535 /dev/zero | tr "\\0" x; printf é; head -c 9 /dev/zero') })
    expect(output).toBe(`${'x'.repeat(65_535)}\n[cut: 65536 of 65546 bytes]`)
  })
})

describe('a program that fails', () => {
  it('fails the step with its code and the last line of its error output', async () => {
    const command = sh('echo first >&2; echo "  last words " >&2; echo >&2; exit 3')
    await expect(run({ command })).rejects.toMatchObject({
      code: 'failed',
      reason: 'exit-3',
      permanent: false,
      message: 'sh exited with 3: last words',
    })
    await expect(run({ command: ['false'] })).rejects.toThrow(/^false exited with 1$/)
  })

  it('may write without end: only the end of it is kept', async () => {
    const command = sh('i=0; while [ $i -lt 3000 ]; do echo "line $i" >&2; i=$((i+1)); done; exit 1')
    await expect(run({ command })).rejects.toThrow('line 2999')
  })

  it('tells which signal ended it', async () => {
    await expect(run({ command: sh('kill -SEGV $$') })).rejects.toMatchObject({ reason: 'signal-sigsegv' })
  })

  it.each([
    { command: ['/nowhere/program'] },
    { command: ['no-such-program-anywhere'] },
    { command: ['true'], cwd: '/nowhere' },
  ])('cannot be started, for good: %j', async (params) => {
    await expect(run(params)).rejects.toMatchObject({ code: 'failed', reason: 'not-executable', permanent: true })
  })

  it('cannot be started when it is not executable', async () => {
    const recorded = await aStep({ env })
    const file = join(recorded.step.dataDir, 'plain')
    await writeFile(file, 'text', { mode: 0o644 })
    await expect(perform(localScript, { command: [file] }, recorded)).rejects.toThrow('plain cannot be started: EACCES')
  })

  it('cannot be started with a NUL in an argument or a value', async () => {
    const wrong = { code: 'failed', reason: 'bad-argument', permanent: true }
    await expect(run({ command: ['echo', 'a\0b'] })).rejects.toMatchObject(wrong)
    await expect(run({ command: ['echo'], env: { X: 'a\0b' } })).rejects.toMatchObject(wrong)
  })
})

describe('a program that takes too long', () => {
  /** Starts a grandchild, tells its pid in a file, and waits. */
  const family = async (trap: string): Promise<{ params: Params; pid: () => Promise<number>; recorded: Recorded }> => {
    const recorded = await aStep({ env })
    const file = join(recorded.step.dataDir, 'pid')
    await writeFile(file, '')
    const { readFile } = await import('node:fs/promises')
    const pid = async () => Number(await readFile(file, 'utf8'))
    const command = sh(`${trap} sleep 300 & echo $! > "$1"; wait; wait`, file)
    return { params: { command, timeout: '2s' }, pid, recorded }
  }

  it('is ended with all that it started', async () => {
    const { params, pid, recorded } = await family('')
    await expect(perform(localScript, params, recorded)).rejects.toMatchObject({ code: 'timed_out', reason: 'timeout' })
    const grandchild = await pid()
    expect(grandchild).toBeGreaterThan(1)
    await until(() => !isAlive(grandchild))
  })

  it('is ended even if it ignores being asked', async () => {
    const { params, pid, recorded } = await family('trap "" TERM;')
    await expect(perform(localScript, params, recorded)).rejects.toMatchObject({ code: 'timed_out' })
    const grandchild = await pid()
    await until(() => !isAlive(grandchild))
  })

  it('is not waited for by way of a process that has left its group and keeps the output open', async () => {
    const recorded = await aStep({ env })
    const file = join(recorded.step.dataDir, 'pid')
    const { readFile } = await import('node:fs/promises')
    const command = sh('setsid sh -c \'echo $$ > "$1"; exec sleep 60\' sh "$1" & wait', file)
    const running = perform(localScript, { command, timeout: '2s' }, recorded)
    await expect(running).rejects.toMatchObject({ code: 'timed_out' })
    process.kill(Number(await readFile(file, 'utf8')))
  })

  it('is ended when the step is cut short, and not started when it was before', async () => {
    const abort = new AbortController()
    const recorded = await aStep({ env, signal: abort.signal })
    const file = join(recorded.step.dataDir, 'started')
    const { access } = await import('node:fs/promises')
    const running = perform(localScript, { command: sh(': > "$1"; sleep 300', file) }, recorded)
    const outcome = expect(running).rejects.toMatchObject({ code: 'interrupted' })
    await until(() =>
      access(file).then(
        () => true,
        () => false,
      ),
    )
    abort.abort()
    await outcome
    await expect(perform(localScript, { command: ['true'] }, recorded)).rejects.toThrow()
  })
})

describe('the settings of local:script', () => {
  it.each([
    [{ command: [] }, 'command'],
    [{ command: [''] }, 'the program, the first element, is empty'],
    [{ command: ['{{ proc.name }}'] }, 'command[0] must be fixed text'],
    [{ command: ['./{% if x %}a{% endif %}'] }, 'command[0] must be fixed text'],
    [{ command: '{{ argv }}' }, 'command[0] must be fixed text'],
    [{ command: ['a'], timeout: 'x', changes: '{{ c }}' }, 'changes must be fixed text'],
    [{ command: ['a'], shell: true }, 'shell is not a known setting'],
  ])('refuse %j', (config, message) => {
    expect(() => localScript(config as never)).toThrow(message)
  })

  it.each(['PATH', 'LD_PRELOAD', 'LD_LIBRARY_PATH', 'NODE_OPTIONS', 'BASH_ENV', 'ENV', 'IFS', 'DYLD_X', 'PYTHONPATH'])(
    'do not let %s be set',
    (name) => {
      expect(() => localScript({ command: ['a'], env: { [name]: 'x' } })).toThrow(`env.${name}`)
    },
  )

  it.each(['lower', 'A-B', '1A', 'A B', ''])('refuse %j as the name of a variable', (name) => {
    expect(() => localScript({ command: ['a'], env: { [name]: 'x' } })).toThrow('env.')
  })

  it('take templates elsewhere, and say what it changes', () => {
    const command = ['./x.sh', '{{ fd.rip }}']
    expect(localScript({ command, env: { RULE: '{{ rule }}' } }).config).toMatchObject({ command })
    const { changes } = localScript
    const of = (config: Params) => typeof changes === 'function' && changes(localScript.config.parse(config))
    expect(of({ command })).toBe('destructive')
    expect(of({ command, changes: 'nothing' })).toBe('nothing')
  })
})
