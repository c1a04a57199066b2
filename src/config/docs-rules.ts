/** The page on rules files: what their items may hold, from the declarations. */
import type { z } from 'zod'
import { actionFile, groupFile, listFile, macroFile, ruleChange, ruleFile, stepFile, waitFile } from '../rules/file.ts'
import { CONDITION, conditionTables, TEMPLATE, templateTables } from './docs-language.ts'

const log = { action: 'log', with: { message: '{{ rule }}' } }
const mark = { action: 'kubernetes:label', id: 'mark', with: { labels: { suspicious: 'true' } } }

/** The words of a language, and what each does. */
export interface WordTable {
  readonly head: string
  readonly rows: Readonly<Record<string, string>>
}

/** One kind of item, or of entry of a list of steps. */
export interface RulesPart {
  readonly title: string
  readonly summary: string
  /** Further paragraphs. */
  readonly notes?: readonly string[]
  /** What it may hold; a language has none. */
  readonly source?: z.ZodType
  /** Tables of its words: what stands above a table, then its rows. */
  readonly tables?: readonly WordTable[]
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
    title: 'Condition',
    summary: "Falco's condition language, in `condition`, in `if` of a step, and in filters of outputs.",
    notes: CONDITION,
    tables: conditionTables,
    example: [
      { list: 'safe_networks', items: ['10.0.0.0/8', '192.168.0.0/16'] },
      { macro: 'in_shop', condition: 'k8s.ns.name in (shop, checkout)' },
      {
        rule: 'Tool that calls out',
        condition:
          'in_shop and priority >= notice and tolower(proc.name) in (nc, ncat)\n' +
          'and (proc.cmdline contains anyof (-e, --exec) or proc.name != val(proc.pname))\n' +
          'and fd.sip exists and not fd.sip in (safe_networks)\n',
        steps: [mark],
      },
    ],
  },
  {
    title: 'Template',
    summary: 'Liquid, in the settings of steps and in the messages of outputs.',
    notes: TEMPLATE,
    tables: templateTables,
    example: [log],
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
  {
    title: 'Change',
    summary: 'An item that changes one of its name that stands before, there or in an earlier file, as in Falco.',
    notes: CHANGE,
    source: ruleChange.pick({ override: true, tags: true, priority: true, append: true }),
    example: [
      { rule: 'Shell in the shop', condition: 'k8s.ns.name in (shop, checkout)', steps: [mark] },
      { rule: 'Shell in the shop', condition: 'and proc.tty != 0', override: { condition: 'append' } },
      { rule: 'Shell in the shop', mode: 'observe', override: { mode: 'replace' } },
    ],
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

const CHANGE = [
  '`override` names each other key of the item, and says whether it is to `append` or to `replace`. What is left out stays ' +
    'as it was. Of an item without `override` that has the name of an earlier one, all stands in its place.',
]

const COMPOSED = [
  'A step that names it becomes those steps when the file is read: their ids begin with its own, as in ' +
    '`steps.contain-mark.outcome`, its `if` holds for each of them, and `{{ params.ttl }}` is replaced by what it gives in ' +
    '`with`. It takes `with`, `id` and `if`; it stands in no group and in no other composed action.',
]
