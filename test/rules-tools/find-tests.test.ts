import { mkdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { findTests } from '../../src/rules-tools/find-tests.ts'
import { folder } from '../cli/_kit.ts'

const files = folder()

it('finds cases in folders and those inside, sorted, each once; other files only when they are named', () => {
  for (const name of ['b', 'node_modules', '.hidden']) mkdirSync(files.at(name))
  for (const name of [
    'z.test.yaml',
    'a.test.yml',
    'b/c.test.yaml',
    'node_modules/x.test.yaml',
    '.hidden/x.test.yaml',
    'rules.yaml',
  ])
    files.write(name, '')
  const found = ['a.test.yml', 'b/c.test.yaml', 'z.test.yaml'].map(files.at)
  expect(findTests([files.at('.')])).toEqual(found)
  expect(findTests([files.at('.'), files.at('b')])).toEqual(found)
  expect(findTests([files.at('rules.yaml'), files.at('none')])).toEqual([files.at('rules.yaml'), files.at('none')])
})
