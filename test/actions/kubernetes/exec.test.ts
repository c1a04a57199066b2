import fc from 'fast-check'
import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { exec } from '../../../src/actions/kubernetes/exec.ts'
import { status } from '../../fake-cluster.ts'
import { notFound } from '../../fake-exec.ts'
import { aPodStep, CONTAINER, rejection } from './world.ts'
import { HOSTILE, run, thePod, withShell } from './shell.ts'

const PRINT_ALL = 'for one in "$@"; do printf "<%s>" "$one"; done'
const printed = (values: readonly string[]) => values.map((one) => `<${one}>`).join('') || undefined

describe('kubernetes:exec', () => {
  it('runs a list as it is, in the container of the event', async () => {
    const shell = await withShell()
    const command = ['printf', '%s\n', 'a b', '$HOME']
    const result = await run(exec, shell, { command }, { fields: { 'container.id': CONTAINER } })
    expect(result).toEqual({
      summary: 'ran printf in container web of pod shop/web-1',
      objects: { pod: 'web-1', namespace: 'shop', container: 'web' },
      output: 'a b\n$HOME\n',
    })
    expect(shell.calls).toMatchObject([
      { container: 'web', command: ['timeout', '-s', 'KILL', '20', ...command], stdin: undefined },
    ])
  })

  it.each([
    ['that it is told to', {}, { container: 'side' }, 'side'],
    ['that is the first', {}, {}, 'side'],
    ['that is noted for kubectl', { 'kubectl.kubernetes.io/default-container': 'web' }, {}, 'web'],
    ['that is there, not another that is noted', { 'kubectl.kubernetes.io/default-container': 'x' }, {}, 'side'],
  ])('runs in the container %s', async (_which, annotations, params, container) => {
    const shell = await withShell()
    const pod = thePod()
    shell.cluster.add('Pod', { ...pod, metadata: { ...pod.metadata, annotations } })
    await run(exec, shell, { command: ['true'], ...params })
    expect(shell.calls).toMatchObject([{ container }])
  })

  it('runs a text by the shell, with values that it is given', async () => {
    const shell = await withShell()
    const { output, summary } = await run(exec, shell, { command: 'echo "$0: $1, $2"', args: ['one', 'two'] })
    expect([output, summary]).toEqual(['yarak: one, two\n', 'ran a script in container side of pod shop/web-1'])
    const script = ['-c', 'echo $0', 'yarak']
    await run(exec, shell, { command: 'echo $0', shell: 'bash' })
    await run(exec, shell, { command: 'echo $0', shell: true })
    const ran = shell.calls.map(({ command }) => command.slice(4))
    expect(ran.slice(1)).toEqual([
      ['bash', ...script],
      ['/bin/sh', ...script],
    ])
  })

  it('gives it an input of any length, and an empty one', async () => {
    const shell = await withShell()
    const { output } = await run(exec, shell, { command: ['wc', '-c'], stdin: 'x'.repeat(1_000_000) })
    expect(output?.trim()).toBe('1000000')
    expect((await run(exec, shell, { command: ['wc', '-c'], stdin: '' })).output?.trim()).toBe('0')
  })

  it('keeps 64 KiB of the output, without what steers a terminal', async () => {
    const shell = await withShell()
    const { output } = await run(exec, shell, { command: ['head', '-c', '70000', '/dev/zero'] })
    expect(output).toMatch(/\[cut: 65536 of 70000 bytes\]$/)
    const coloured = await run(exec, shell, { command: ['printf', '\\033[31mred\\033[0m\\n'] })
    expect(coloured.output).toBe('red\n')
  })

  it('fails with the exit code and the last line of the standard error', async () => {
    const shell = await withShell()
    const error = await rejection(run(exec, shell, { command: 'echo out; echo first >&2; echo last >&2; exit 3' }))
    expect(error).toMatchObject({ code: 'failed', reason: 'exit-3', message: '/bin/sh exited with 3: last' })
  })
})

describe('values of an event', () => {
  it('reach a command as they are: each an argument, or its input, and nothing more', async () => {
    const shell = await withShell()
    expect((await run(exec, shell, { command: PRINT_ALL, args: [...HOSTILE] })).output).toBe(printed(HOSTILE))
    expect((await run(exec, shell, { command: ['printf', '<%s>', ...HOSTILE] })).output).toBe(printed(HOSTILE))
    const stdin = HOSTILE.join('\n')
    expect((await run(exec, shell, { command: 'cat', stdin })).output).toBe(stdin)
    expect(readdirSync(shell.cwd)).toEqual([])
  })

  it('reach a script as they are, whatever they are', async () => {
    const shell = await withShell()
    const text = fc.string({ unit: 'grapheme', maxLength: 100 }).filter((one) => !/\0|[\u0080-\u009f\u001b]/.test(one))
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 4 }), async (args) => {
        expect((await run(exec, shell, { command: PRINT_ALL, args })).output).toBe(printed(args))
      }),
      { numRuns: 10 },
    )
  })

  it.each([
    ['one of 1 MB', { args: ['x'.repeat(1_000_000)] }, 'too-large'],
    ['one over 4 KiB', { args: ['ü'.repeat(2049)] }, 'too-large'],
    ['many over 16 KiB', { args: Array<string>(5).fill('x'.repeat(4000)) }, 'too-large'],
    ['one with NUL', { args: ['a\0b'] }, 'bad-argument'],
  ])('are refused: %s', async (_which, { args }, reason) => {
    const shell = await withShell()
    expect(await rejection(run(exec, shell, { command: 'true', args }))).toMatchObject({ code: 'refused', reason })
    expect(await rejection(run(exec, shell, { command: ['true', ...args] }))).toMatchObject({ reason })
    expect(shell.calls).toEqual([])
  })

  it('are the variables that Falco Talon knows, if that is asked for', async () => {
    const shell = await withShell()
    const fields = {
      'proc.name': '$(touch owned)',
      'proc.aname[2]': "x'; touch owned #",
      'proc.pid': 12345678901234567890n.toString(),
      'evt.num': 1234567,
      path: '/nowhere',
    }
    const command =
      'printf "<%s>" "$PROC_NAME" "${PROC_ANAME_2}" "$PROC_PID" "$EVT_NUM" "$PRIORITY" "$NONE" "$1" "${PATH#/}"'
    const { output } = await run(exec, shell, { command, args: ['own'], event_variables: true }, { fields })
    const values = [
      fields['proc.name'],
      fields['proc.aname[2]'],
      '12345678901234567890',
      '1234567',
      'Notice',
      '',
      'own',
    ]
    expect(output).toBe(printed([...values, 'usr/bin:/bin']))
    expect(readdirSync(shell.cwd)).toEqual([])
    const plain = await run(exec, shell, { command: 'echo "<$PROC_NAME>"' }, { fields })
    expect(plain.output).toBe('<>\n')
  })
})

describe('a container that lacks a program', () => {
  it('has no shell: the report names what helps', async () => {
    const error = await rejection(
      withShell({ programs: ['timeout'] }).then((it) => run(exec, it, { command: 'id', shell: 'sh' })),
    )
    expect(error).toMatchObject({ code: 'failed', reason: 'no-shell', permanent: true })
    expect(error.message).toMatch(/container side has no sh .*kubernetes:debug/)
  })

  it('has neither timeout nor shell, or not the program', async () => {
    const shell = await withShell({ programs: [] })
    expect(await rejection(run(exec, shell, { command: 'id', shell: 'sh' }))).toMatchObject({ reason: 'no-shell' })
    expect(await rejection(run(exec, shell, { command: ['id'] }))).toMatchObject({ reason: 'not-executable' })
    const other = await withShell({ programs: ['timeout'] })
    expect(await rejection(run(exec, other, { command: ['id'] }))).toMatchObject({ reason: 'not-executable' })
  })

  it('has no timeout: the command is run without, once', async () => {
    const shell = await withShell({ programs: ['cat'] })
    expect((await run(exec, shell, { command: ['cat'], stdin: 'x' })).output).toBe('x')
    expect(shell.calls.map(({ command }) => command)).toEqual([['timeout', '-s', 'KILL', '20', 'cat'], ['cat']])
  })

  it('has no timeout, and lets go of a command that does not end: unknown', async () => {
    const shell = await withShell({
      play: ({ command }, answer) => (command[0] === 'timeout' ? answer.status(notFound('timeout')) : undefined),
    })
    const error = await rejection(run(exec, shell, { command: ['sleep', '99'], timeout: '1s' }))
    expect(error).toMatchObject({ code: 'unknown', reason: 'timeout', permanent: true })
    expect(error.message).toMatch(/sleep was let go of after 1 s and may run on: .*kubernetes:debug/)
  })
})

describe('a command that does not end well', () => {
  it('is ended in the container', async () => {
    const shell = await withShell()
    const error = await rejection(run(exec, shell, { command: ['sleep', '99'], timeout: '1s' }))
    expect(error).toMatchObject({ code: 'timed_out', message: 'sleep was ended after 1 s' })
  })

  it('is not taken for ended late when it kills itself', async () => {
    const shell = await withShell()
    expect(await rejection(run(exec, shell, { command: 'kill -9 $$' }))).toMatchObject({ reason: 'exit-137' })
  })

  it('is unknown when the connection is lost', async () => {
    const shell = await withShell({ play: (_call, answer) => answer.drop() })
    expect(await rejection(run(exec, shell, { command: ['id'] }))).toMatchObject({ code: 'unknown', reason: 'dropped' })
    expect(shell.calls).toHaveLength(1)
  })

  it('is interrupted by the step', async () => {
    const controller = new AbortController()
    const shell = await withShell({ play: () => controller.abort() })
    const ran = run(exec, shell, { command: ['id'] }, { signal: controller.signal })
    expect(await rejection(ran)).toMatchObject({ code: 'interrupted' })
  })

  it.each([
    [status(403, 'Forbidden', 'User "y" cannot create resource "pods/exec"'), { code: 'refused', reason: 'forbidden' }],
    [status(409, 'Conflict', 'x'), { code: 'failed', reason: 'conflict', permanent: false }],
    [status(429, 'TooManyRequests', 'x'), { code: 'failed', permanent: false }],
    [status(500, 'InternalError', 'x'), { code: 'failed', permanent: false }],
  ])('is refused by the server, and run when it is tried again: %j', async (answer, error) => {
    const shell = await withShell()
    let refusals = 1
    shell.cluster.override = ({ path }) => (path.endsWith('/exec') && refusals-- > 0 ? answer : undefined)
    expect(await rejection(run(exec, shell, { command: ['true'] }))).toMatchObject(error)
    expect(shell.calls).toEqual([])
    await run(exec, shell, { command: ['true'] })
    expect(shell.calls).toHaveLength(1)
  })

  it('is not run in a pod that is gone, or another that has its name', async () => {
    const shell = await withShell()
    const subject = { kind: 'Pod', key: 'pod/shop/web-1', namespace: 'shop', name: 'web-1', uid: 'uid-0' }
    const other = run(exec, shell, { command: ['true'] }, { subject })
    expect(await rejection(other)).toMatchObject({ code: 'gone', reason: 'changed' })
    const gone = run(exec, shell, { command: ['true'] }, { fields: { 'k8s.pod.name': 'web-2' } })
    expect(await rejection(gone)).toMatchObject({ code: 'gone' })
    const { step } = await aPodStep(shell.cluster)
    expect(await rejection(exec.run(exec.config.parse({ command: ['true'] }), step))).toMatchObject({ code: 'refused' })
    expect(shell.calls).toEqual([])
  })
})

describe('the settings of kubernetes:exec', () => {
  it.each<[object, string]>([
    [{ command: 'echo {{ proc.name }}' }, 'must be fixed text'],
    [{ command: ['{{ proc.name }}'] }, 'must be fixed text'],
    [{ command: ['/bin/sh', '-c', 'echo {{ proc.name }}'] }, 'an event may not write its program'],
    [{ command: ['env', '{{ proc.name }}'] }, 'an event may not write its program'],
    [{ command: ['python3.12', '-c', '{{ proc.name }}'] }, 'an event may not write its program'],
    [{ command: 'id', shell: '{{ proc.name }}' }, 'shell must be fixed text'],
    [{ command: 'id', changes: '{{ proc.name }}' }, 'changes must be fixed text'],
    [{ command: ['id'], shell: 'sh' }, 'without a shell'],
    [{ command: ['id'], args: ['x'] }, 'without a shell'],
    [{ command: 'id', shell: '-c' }, 'must be the path or the name of a shell'],
    [{ command: 'id', container: '../x' }, 'must be the name of a container'],
    [{ command: 'id', timeout: '10ms' }, 'must be between 1s and 1h'],
    [{ command: [] }, 'command'],
    [{}, 'command'],
  ])('refuse %j', (params, message) => {
    expect(() => exec(params as Parameters<typeof exec>[0])).toThrow(message)
  })

  it('say what it changes, and how long it may take', () => {
    const parsed = exec.config.parse({ command: ['id'], changes: 'nothing', timeout: '1m' })
    expect((exec.changes as (params: typeof parsed) => string)(parsed)).toBe('nothing')
    expect((exec.timeout as (params: typeof parsed) => number)(parsed)).toBe(70_000)
    expect(exec.config.parse({ command: 'id' }).changes).toBe('destructive')
  })
})
