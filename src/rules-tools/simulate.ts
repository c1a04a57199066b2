/** Rules whose steps touch nothing: for tests of rules and for replays. */
import type { Action, Use } from '../plugin.ts'
import { mapActions, type RuleInput, type WaitInput } from '../rules/rule.ts'
import { believing, isolated, type StandIns } from './offline.ts'

/** Actions that touch nothing but the log. */
const HARMLESS: ReadonlySet<string> = new Set(['log'])

/**
 * The same rules; conditions, templates, settings, guards and the order of steps are as ever, the actions are not run
 * and no pause takes time.
 * @param standIns simulated resources: with them a target is looked up, and an action that can validate without
 * changing anything (`dryRun`) does so, in them; without, the event is believed and nothing but `log` runs
 */
export const simulated = (rules: readonly RuleInput[], standIns?: StandIns): RuleInput[] =>
  rules.map((rule) => mapActions(rule, (use) => stubbed(use, standIns), withoutDelay))

const withoutDelay = (pause: WaitInput): WaitInput => ({ ...pause, wait: '0s' })

const stubbed = (use: Use<Action>, standIns: StandIns | undefined): Use<Action> => ({
  ...use,
  plugin: stub(use.plugin, standIns),
})

const stub = (plugin: Action, standIns: StandIns | undefined): Action => {
  const { target, run } = plugin
  const validates = plugin.dryRun === true && standIns !== undefined
  return {
    ...plugin,
    ...(target && { target: believing(target, standIns) }),
    dryRun: true,
    done: 'repeatable',
    async run(params, step) {
      if (HARMLESS.has(plugin.type)) return run(params, step)
      if (validates) return run(params, isolated({ ...step, dryRun: true }, standIns))
      const on = step.subject ? ` on ${step.subject.key}` : ''
      return { summary: `would run ${plugin.type}${on}` }
    },
  }
}
