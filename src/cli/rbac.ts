import { Command, Option } from 'commander'
import { stringify } from 'yaml'
import { mergePermissions, neededBy } from '../permissions.ts'
import type { Mode } from '../plugin.ts'
import { type RoleObject, roleObjects, WARNING } from '../resources/_kube-roles.ts'
import { configOption, type LoadFlags, loadOrExit, modeOption, repeatable } from './load.ts'
import { Exit, type Terminal } from './terminal.ts'

interface Flags extends LoadFlags {
  readonly namespace: string
  readonly name: string
  readonly json?: boolean
  readonly values?: boolean
}

export const rbacCommand = (terminal: Terminal): Command => {
  const command = new Command('rbac')
    .description(
      'Print the least that Yarak must be allowed in the cluster for its rules and outputs, as Kubernetes objects.',
    )
    .addOption(configOption())
    .addOption(modeOption())
    .option('-n, --namespace <namespace>', 'the namespace that Yarak runs in', 'yarak')
    .option('--name <name>', 'name of its service account, of the roles and their bindings', 'yarak')
    .addOption(new Option('--json', 'as JSON: a List of the objects').conflicts('values'))
    .option('--values', 'as values of the Helm chart: `rbac.rules`')
    .addHelpText(
      'after',
      `
Examples:
  yarak rbac --config yarak.yaml | kubectl apply -f -
  yarak rbac --config yarak.yaml --mode observe      what is needed to look on: to read, and nothing else
  yarak rbac --rules rules.yaml --mode enforce --namespace security
  yarak rbac --config yarak.yaml --values > rights.yaml && helm upgrade yarak charts/yarak --reuse-values -f rights.yaml

What is needed wherever targets are is a ClusterRole; bind it by a RoleBinding in single namespaces to have less. What is
needed where Yarak runs is a Role there. A right that is wider than what is done with it is in a role of its own, with a
warning. What depends on a template is taken as its action's defaults or example have it.`,
    )
    .action((flags: Flags) => rbac(flags, terminal))
  return repeatable(command, '-r, --rules <file>', 'rules files alone (repeatable)')
}

const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

const rbac = async (flags: Flags, terminal: Terminal): Promise<void> => {
  for (const option of ['namespace', 'name'] as const) {
    if (NAME.test(flags[option])) continue
    terminal.err(`yarak: --${option} ${flags[option]} is no name: of a-z, 0-9 and -, at most 63\n`)
    throw new Exit(2)
  }
  const options = await loadOrExit(flags, terminal)
  const needed = mergePermissions(neededBy(options).map(({ rule }) => rule))
  if (flags.values) return terminal.out(`# mode ${options.mode}\n${stringify({ rbac: { rules: needed } })}`)
  const objects = roleObjects(needed, flags)
  if (flags.json) terminal.out(`${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, null, 2)}\n`)
  else terminal.out(textOf(objects, options.mode))
}

const textOf = (objects: readonly RoleObject[], mode: Mode): string => {
  if (objects.length === 0) return `# mode ${mode}: the rules and outputs need nothing of a cluster\n`
  return [`# mode ${mode}\n`, ...objects.map((object) => `---\n${commentOf(object)}${stringify(object)}`)].join('')
}

const commentOf = ({ kind, metadata }: RoleObject): string => {
  const warning = kind.endsWith('Binding') ? undefined : metadata.annotations?.[WARNING]
  return warning === undefined ? '' : `# warning: ${warning.replaceAll(/\s+/g, ' ')}\n`
}
