import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { builtin } from '../../src/builtin.ts'
import { loadConfig } from '../../src/config/index.ts'
import { generatedFiles } from '../../src/config/docs.ts'
import { rulesParts } from '../../src/config/docs-rules.ts'
import { RESERVED } from '../../src/names.ts'
import { brief } from './_kit.ts'

describe('the page on rules files', () => {
  const page = generatedFiles(builtin)['config/rules/README.md'] ?? ''

  it('tells each setting of each kind of item', () => {
    for (const text of ['## Rule', '`onError`', '`deadline`', '`parallel`', '`wait`', '`params.<name>.default`']) {
      expect(page).toContain(text)
    }
  })

  it('tells of lists of steps, and leaves their entries to sections of their own', () => {
    for (const name of ['steps', 'onFailure', 'finally']) expect(page).toContain(`| \`${name}\` | list of map |`)
    expect(page).not.toContain('`steps[]')
    expect(page).not.toContain('`finally[]')
  })

  it('tells every name that a step may use', () => {
    const step = page.slice(page.indexOf('## Step'), page.indexOf('## Group'))
    for (const name of RESERVED.filter((one) => one !== 'uuid' && one !== 'input')) expect(step).toContain(`\`${name}`)
  })

  it('has examples that load', () => {
    const parts = rulesParts()
    const examples = (whole: boolean) =>
      parts.flatMap(({ title, example }) =>
        ['Step', 'Group', 'Pause'].includes(title) === whole ? [] : (example as object[]),
      )
    const steps = examples(false)
    const rule = { rule: 'All', condition: 'shell', steps: steps.slice(1) }
    const text = stringify({ version: 1, rules: [...examples(true), rule] })
    const { problems } = loadConfig({ file: 'y.yaml', text, env: {}, plugins: builtin })
    expect(brief(problems).filter((line) => !line.includes('warning'))).toEqual([])
  })
})
