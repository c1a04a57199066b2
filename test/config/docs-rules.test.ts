import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { builtin } from '../../src/builtin.ts'
import { loadConfig } from '../../src/config/index.ts'
import { generatedFiles } from '../../src/config/docs.ts'
import { rulesParts } from '../../src/config/docs-rules.ts'
import { parseEvent } from '../../src/event.ts'
import { RESERVED } from '../../src/names.ts'
import { LISTING, MODIFIERS, NUMERIC, TEXTUAL, TRANSFORMERS } from '../../src/rules/ast.ts'
import { parseCondition } from '../../src/rules/grammar.ts'
import { predicate } from '../../src/rules/predicate.ts'
import { FILTER_NAMES } from '../../src/template.ts'
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

  it('tells every word of conditions and templates', () => {
    const condition = page.slice(page.indexOf('## Condition'), page.indexOf('## Template'))
    const words = [...NUMERIC, ...TEXTUAL, ...LISTING, 'exists', ...MODIFIERS, ...TRANSFORMERS]
    for (const word of words) expect(condition).toContain(`| \`${word}\` |`)
    for (const filter of FILTER_NAMES) expect(page.slice(page.indexOf('## Template'))).toContain(`| \`${filter}\` |`)
  })

  it('says of what is not there what is so', () => {
    const alert = { rule: 'R', priority: 'Notice', time: '2026-11-23T08:00:00Z', output_fields: {} }
    const holds = (text: string) =>
      predicate(parseCondition(text))({ event: parseEvent(alert, { id: '1', input: 'test' }) })
    expect(holds('proc.name != sh')).toBe(false)
    expect(holds('not proc.name = sh')).toBe(true)
  })

  it('has examples that load', () => {
    const parts = rulesParts()
    const examples = (whole: boolean) =>
      parts.flatMap(({ title, example }) =>
        ['Step', 'Group', 'Pause', 'Template'].includes(title) === whole ? [] : (example as object[]),
      )
    const steps = examples(false)
    const rule = { rule: 'All', condition: 'shell', steps: steps.slice(1) }
    const text = stringify({ version: 1, rules: [...examples(true), rule] })
    const { problems } = loadConfig({ file: 'y.yaml', text, env: {}, plugins: builtin })
    expect(brief(problems).filter((line) => !line.includes('warning'))).toEqual([])
  })
})
