/** Settings that no event may choose, as written and as rendered. */
import { describe, expect, it } from 'vitest'
import { fixed } from '../../src/actions/_fixed.ts'
import { exec } from '../../src/actions/kubernetes/exec.ts'
import { createGateway } from '../../src/index.ts'
import { defineAction, z } from '../../src/plugin.ts'
import { checkSettings, renderedSchema } from '../../src/settings.ts'
import { alert } from '../kit.ts'

const config = z.strictObject({ dir: z.string().min(1), list: z.array(z.string()).default([]) }).refine(...fixed('dir'))
const problems = (settings: unknown): string[] =>
  checkSettings(config, settings, { templates: true }).map(({ message }) => message)

describe('fixed text', () => {
  it.each(['{{ rule }}', '{% if x %}y{% endif %}', '{% raw %}a{% endraw %}{{ rule }}', '{% raw %}{{ rule }}', '{{'])(
    'is no template, not even in part: %s',
    (dir) => {
      expect(problems({ dir })).toEqual(['dir must be fixed text: an event may not choose it'])
    },
  )

  it.each(['/srv', '{ { % }', '{% raw %}{{ rule }}{% endraw %}', 'a{%- raw -%}{%{% endraw %} b'])(
    'may hold braces that stand for themselves: %s',
    (dir) => {
      expect(problems({ dir })).toEqual([])
    },
  )

  it('is asked of settings as written, not of what they are rendered to; all else is asked of both', () => {
    const rendered = renderedSchema(config)
    expect(rendered.safeParse({ dir: '{{' }).success).toBe(true)
    expect(config.safeParse({ dir: '{{' }).success).toBe(false)
    for (const wrong of [{ dir: '' }, { dir: 1 }, { dir: 'x', other: 1 }, {}]) {
      expect(rendered.safeParse(wrong).success).toBe(false)
    }
    expect(rendered.parse({ dir: 'x' })).toEqual({ dir: 'x', list: [] })
    const plain = z.strictObject({ a: z.string() }).refine(() => true)
    expect(renderedSchema(plain)).toBe(plain)
  })

  it('of an interpreter is as fixed', () => {
    const command = (text: string) => exec.config.safeParse({ command: ['python3', '-c', text] }).success
    expect(command('print("{{ rule }}")')).toBe(false)
    expect(command('{% raw %}print("{{ x }}"){% endraw %}')).toBe(true)
    expect(renderedSchema(exec.config).safeParse({ command: ['python3', '-c', '{{ x }}'] }).success).toBe(true)
  })

  it('comes to the action without the marks around it', async () => {
    let seen: unknown
    const run = async (params: unknown) => {
      seen = params
      return { summary: 'ran' }
    }
    const action = defineAction({ type: 'test:fixed', summary: 'Has one.', config, changes: 'nothing', run })
    const steps = [action({ dir: '{% raw %}{{ rule }}{% endraw %}', list: ['{{ rule }}'] })]
    const gateway = createGateway({ rules: [{ name: 'A', steps }] })
    await (
      await gateway.emit(alert({ rule: '{{ x }}' }))
    ).done
    await gateway.stop()
    expect(seen).toEqual({ dir: '{{ rule }}', list: ['{{ x }}'] })
  })
})
