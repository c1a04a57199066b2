import { globSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, expect, it } from 'vitest'
import { builtin } from '../../src/builtin.ts'
import { loadConfig, printProblems } from '../../src/config/index.ts'

const files = globSync('test/fixtures/broken/*.yaml').sort()

describe('broken configurations', () => {
  it('are at least ten', () => {
    expect(files.length).toBeGreaterThanOrEqual(10)
  })

  it.each(files)('%s gives the same text as ever', async (file) => {
    const { options, problems } = loadConfig({ file, env: {}, plugins: builtin })
    expect(options).toBeUndefined()
    const golden = `../fixtures/broken/${basename(file, '.yaml')}.txt`
    await expect(printProblems(problems)).toMatchFileSnapshot(golden)
  })

  it.each(files)('%s shows no secret', (file) => {
    const { problems } = loadConfig({ file, env: {}, plugins: builtin })
    expect(printProblems(problems)).not.toContain('not-to-be-shown')
  })
})
