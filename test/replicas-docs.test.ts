/** The configurations in the text about several replicas are what they say. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { builtin } from '../src/builtin.ts'
import { loadConfig, printProblems } from '../src/config/index.ts'

const text = readFileSync(join(import.meta.dirname, '../src/resources/README.md'), 'utf8')
const blocks = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block = '']) => block)

it('there are some', () => expect(blocks).toHaveLength(3))

it.each(blocks)('loads:\n%s', (block) => {
  const { options, problems } = loadConfig({ file: 'yarak.yaml', text: block, env: {}, plugins: builtin })
  expect(printProblems(problems)).toBe('')
  expect(options?.version).toBe(1)
})
