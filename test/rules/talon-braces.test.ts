/** Commands and scripts of Talon's rules that hold what looks like a template: it reaches the container as it is. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createGateway } from '../../src/index.ts'
import { mapActions } from '../../src/rules/rule.ts'
import { alert } from '../kit.ts'
import { talon } from './_talon.ts'

/** The settings with which the action of a Talon rule runs. */
const ran = async (actionner: string, parameters: object, contexts: readonly string[] = []) => {
  const action = { action: 'A', actionner, parameters, additional_contexts: contexts }
  const { rules, told } = talon(JSON.stringify([{ rule: 'R', match: { priority: '>=debug' }, actions: [action] }]))
  let seen: Record<string, unknown> | undefined
  const spied = rules.map((rule) =>
    mapActions(rule, (use) => {
      const { target: _, ...plugin } = use.plugin
      const run = async (params: unknown) => {
        seen = params as Record<string, unknown>
        return { summary: 'ran' }
      }
      return { ...use, plugin: { ...plugin, run, changes: 'nothing' } }
    }),
  )
  const node = { id: 'k8snode', config: {}, plugin: { type: 'k8snode', lookup: async () => ({ hostname: '{{ n }}' }) } }
  const gateway = createGateway({ rules: spied, mode: 'enforce', contexts: [node as never] })
  const [report] = await (await gateway.emit(alert())).done
  await gateway.stop()
  return { seen, told, step: report?.steps[0] }
}

describe('braces in a file of Falco Talon', () => {
  it.each([
    ['kubernetes:script', 'script', "docker ps --format '{{.Names}}'\necho {% x %} }} {{{ $PROC_NAME"],
    ['kubernetes:script', 'script', 'echo "{% raw %}{{ rule }}{% endraw %}"'],
    ['kubernetes:exec', 'command', "kubectl get po -o go-template='{{range .items}}{{.metadata.name}}{{end}}'"],
  ])('%s gets its %s unchanged: %s', async (actionner, name, text) => {
    const { seen, told, step } = await ran(actionner, { [name]: text })
    expect(told).toEqual([])
    expect(step).toMatchObject({ outcome: 'succeeded' })
    expect(seen?.[name]).toBe(text)
  })

  it('are no template beside variables of contexts, whose values may hold some too', async () => {
    const { seen } = await ran('kubernetes:script', { script: "x '{{.A}}' $NODE_HOSTNAME" }, ['k8snode'])
    expect(seen).toMatchObject({ args: expect.arrayContaining(['{{ n }}']) as unknown })
    expect(String(seen?.['script'])).toMatch(/^NODE_HOSTNAME=\$\{1\}; .*shift \d\nx '\{\{\.A\}\}' \$NODE_HOSTNAME$/)
  })

  it('come through whatever they are', async () => {
    const part = fc.constantFrom('{', '}', '%', '-', ' ', 'raw', 'endraw', 'rule', '"', "'", '\n', '|', 'é', '$(x)')
    const text = fc.array(part, { minLength: 1, maxLength: 20 }).map((parts) => parts.join(''))
    await fc.assert(
      fc.asyncProperty(text, async (script) => {
        const { seen } = await ran('kubernetes:script', { script })
        expect(seen?.['script']).toBe(script)
      }),
      { numRuns: 60 },
    )
  })
})
