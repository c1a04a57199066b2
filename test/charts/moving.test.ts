/** MOVING.md says what is so: its commands run, its blocks are what they are called. */
import { cpSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { folder, launch, noneLeft } from '../cli/_kit.ts'

const TEXT = readFileSync('charts/yarak/MOVING.md', 'utf8')
const files = folder()
noneLeft()

const blocks = (language: string): string[] =>
  [...TEXT.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text)

/** Each command of ours, without what the shell does with its output. */
const commands = blocks('sh')
  .join('')
  .replaceAll(/ \\\n\s*/g, ' ')
  .split('\n')
  .filter((line) => line.startsWith('yarak '))
  .map((line) => line.replace(/ +[>#].*/, '').split(/ +/).slice(1))

describe('MOVING.md', () => {
  it('has commands that do what it says, one after the other', async () => {
    expect(commands.length).toBeGreaterThan(5)
    cpSync('test/fixtures/charts/falcosidekick-values.yaml', files.at('falcosidekick-values.yaml'))
    cpSync('test/fixtures/charts/falco-talon-values.yaml', files.at('talon-values.yaml'))
    files.write('yarak.yaml', 'mode: observe\n')
    for (const args of commands) {
      const { code, err } = await launch(args, { cwd: files.at('.') }).ended
      expect({ args, code, err: code === 0 ? '' : err }).toEqual({ args, code: 0, err: '' })
    }
    expect(readFileSync(files.at('yarak.yaml.bak'), 'utf8')).toBe('mode: observe\n')
  }, 60_000)

  it('has values that are YAML', () => {
    expect(blocks('yaml').map((text) => parse(text) as unknown)).toEqual([
      { falco: { json_output: true, http_output: { enabled: true, url: 'http://yarak:2801/' } } },
    ])
  })
})
