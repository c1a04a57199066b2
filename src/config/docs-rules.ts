/** The page on rules files: what their items may hold, from the declarations. */
import type { z } from 'zod'
import { actionFile, groupFile, listFile, macroFile, ruleFile, stepFile, waitFile } from '../rules/file.ts'

const log = { action: 'log', with: { message: '{{ rule }}' } }
const mark = { action: 'kubernetes:label', id: 'mark', with: { labels: { suspicious: 'true' } } }

/** One kind of item, or of entry of a list of steps. */
export interface RulesPart {
  readonly title: string
  readonly summary: string
  /** Further paragraphs. */
  readonly notes?: readonly string[]
  readonly source: z.ZodType
  readonly example: unknown
}

/** The parts of the page, in order. */
export const rulesParts = (): RulesPart[] => [
  {
    title: 'Rule',
    summary: 'Which events it answers, and its steps.',
    notes: RULE,
    source: ruleFile,
    example: [
      {
        rule: 'Shell',
        match: { rules: ['Terminal shell in container'] },
        steps: [mark],
        onFailure: [log],
        finally: [log],
      },
    ],
  },
  {
    title: 'Step',
    summary: 'One action.',
    notes: STEP,
    source: stepFile,
    example: [{ ...mark, onError: 'continue' }],
  },
  {
    title: 'Group',
    summary: 'Steps that run at the same time. None may name another of the group.',
    source: groupFile,
    example: [{ parallel: [mark, log] }],
  },
  {
    title: 'Pause',
    summary: 'Nothing happens for a while.',
    source: waitFile,
    example: [{ wait: '30s', if: 'steps.mark.outcome = succeeded' }],
  },
  {
    title: 'Composed action',
    summary: 'An action made of steps.',
    notes: COMPOSED,
    source: actionFile,
    example: [
      {
        action: 'quarantine',
        params: { ttl: { default: '30m' }, reason: { description: 'Why.' } },
        steps: [mark, { ...log, with: { message: 'for {{ params.ttl }}: {{ params.reason }}' } }],
      },
      {
        rule: 'Shell',
        match: { rules: ['Terminal shell in container'] },
        steps: [{ action: 'quarantine', id: 'contain', with: { reason: 'a shell', ttl: '1h' } }],
      },
    ],
  },
  {
    title: 'List',
    summary: 'Values that conditions name by one word.',
    source: listFile,
    example: [{ list: 'shells', items: ['sh', 'bash'] }],
  },
  {
    title: 'Macro',
    summary: 'A part of a condition.',
    source: macroFile,
    example: [{ macro: 'shell', condition: 'proc.name in (shells)' }],
  },
]

export const RULES =
  'A rules file is a list of items. A later item of the same name replaces an earlier one, or changes it by `override`. ' +
  'What a step can do stands on the page of the [actions](../../src/actions/README.md).'

const RULE = [
  '`steps` run in order. When one fails, is refused or takes too long, those after it are skipped, unless its `onError` ' +
    'says otherwise; a target that is gone is no failure. `onFailure` runs when the others were stopped, `finally` last, ' +
    'whatever happened.',
  'Responses on one target run one after another, those on different targets at the same time. After a crash a response ' +
    'goes on at its step.',
]

const STEP = [
  'Templates (Liquid) and conditions know the fields of the event by their names (`k8s.ns.name`, ' +
    '`fields["proc.aname[2]"]`); `rule`, `priority`, `source`, `tags`, `hostname`, `output`, `time`; `target.namespace`, ' +
    '`target.pod`, `target.container`, `target.node`; `cluster`; `response.id`, `response.trace`, `response.mode`; ' +
    '`context.<type>`, a [lookup](../../src/contexts/README.md); and of each earlier step `steps.<id>.outcome`, ' +
    '`.summary`, `.output`, `.objects.<name>`, `.artifacts[0].url`, `.error.reason`.',
  'An outcome is `succeeded`, `failed`, `timed_out`, `refused` (by a guard, or by the action), `skipped`, `gone`, ' +
    '`unknown` (it may have happened, and is not done again) or `interrupted`. In observe mode it is that of a ' +
    'simulation.',
]

const COMPOSED = [
  'A step that names it becomes those steps when the file is read: their ids begin with its own, as in ' +
    '`steps.contain-mark.outcome`, its `if` holds for each of them, and `{{ params.ttl }}` is replaced by what it gives in ' +
    '`with`. It takes `with`, `id` and `if`; it stands in no group and in no other composed action.',
]
