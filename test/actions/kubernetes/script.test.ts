import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { script } from '../../../src/actions/kubernetes/script.ts'
import { rejection } from './world.ts'
import { HOSTILE, run, withShell } from './shell.ts'

describe('kubernetes:script', () => {
  it('runs a text of several lines, with values and an input, and writes no file', async () => {
    const shell = await withShell()
    const text = 'set -eu\nread -r line\necho "$1 $line"\n'
    const result = await run(script, shell, { script: text, args: ['hello'], stdin: 'world\n', container: 'web' })
    expect(result).toEqual({
      summary: 'ran a script in container web of pod shop/web-1',
      objects: { pod: 'web-1', namespace: 'shop', container: 'web' },
      output: 'hello world\n',
    })
    expect(shell.calls.map(({ command }) => command.slice(4))).toEqual([['/bin/sh', '-c', text, 'yarak', 'hello']])
    expect(readdirSync(shell.cwd)).toEqual([])
  })

  it('gives it values of an event as they are', async () => {
    const shell = await withShell()
    const { output } = await run(script, shell, { script: 'printf "%s|" "$@"', args: [...HOSTILE], shell: 'bash' })
    expect(output).toBe(`${HOSTILE.join('|')}|`)
    expect(readdirSync(shell.cwd)).toEqual([])
    const large = run(script, shell, { script: 'true', args: ['x'.repeat(5_000)] })
    expect(await rejection(large)).toMatchObject({ code: 'refused', reason: 'too-large' })
  })

  it('keeps what Falco Talon destroys in a text: $? and $1', async () => {
    const shell = await withShell()
    const fields = { 'proc.name': 'nc' }
    const text = 'false; echo "$? $PROC_NAME $1 $#"'
    const { output } = await run(script, shell, { script: text, args: ['one'], event_variables: true }, { fields })
    expect(output).toBe('1 nc one 1\n')
  })

  it('reads a file of the gateway at each run', async () => {
    const shell = await withShell()
    const file = join(shell.cwd, 'look.sh')
    await writeFile(file, 'echo first')
    expect((await run(script, shell, { file })).output).toBe('first\n')
    await writeFile(file, 'echo second')
    expect((await run(script, shell, { file })).output).toBe('second\n')
  })

  it.each([
    ['is not there', undefined],
    ['is too long', 'x'.repeat(65_537)],
    ['is no text', 'a\0b'],
  ])('says when the file %s', async (_what, content) => {
    const shell = await withShell()
    const file = join(shell.cwd, 'look.sh')
    if (content !== undefined) await writeFile(file, content)
    expect(await rejection(run(script, shell, { file }))).toMatchObject({ reason: 'script-file', permanent: true })
    expect(shell.calls).toEqual([])
  })

  it('fails with the exit code, and without a shell', async () => {
    const shell = await withShell()
    expect(await rejection(run(script, shell, { script: 'exit 7' }))).toMatchObject({ reason: 'exit-7' })
    const other = await withShell({ programs: ['timeout'] })
    expect(await rejection(run(script, other, { script: 'true', shell: 'ash' }))).toMatchObject({ reason: 'no-shell' })
  })

  it.each<[object, string]>([
    [{ script: 'echo {{ proc.name }}' }, 'script must be fixed text'],
    [{ file: '{{ proc.exepath }}' }, 'file must be fixed text'],
    [{ script: 'id', shell: '{{ proc.name }}' }, 'shell must be fixed text'],
    [{ script: 'id', changes: '{{ proc.name }}' }, 'changes must be fixed text'],
    [{ script: 'id', event_variables: '{{ proc.name }}' }, 'event_variables must be fixed text'],
    [{ script: 'id', file: '/x' }, 'either script or file'],
    [{ script: 'x'.repeat(65_537) }, 'script'],
    [{}, 'either script or file'],
  ])('refuses the settings %j', (params, message) => {
    expect(() => script(params)).toThrow(message)
  })
})
