/** What the rules and outputs need and the account that Yarak is may not do: asked of the cluster. */
import type { ConfigOptions, Plugins } from '../config/index.ts'
import { asYarakError, messageOf, YarakError } from '../errors.ts'
import { covers, mergePermissions, type Need, neededBy, permissionText } from '../permissions.ts'
import type { Log, PolicyRule, Resource } from '../plugin.ts'
import { withLoneIo } from './lone-io.ts'
import type { Terminal } from './terminal.ts'

type Options = Pick<ConfigOptions, 'rules' | 'mode' | 'contexts' | 'outputs' | 'claims' | 'resources' | 'dataDir'>

interface Asking {
  readonly options: Options
  readonly plugins: Plugins
  readonly env: Terminal['env']
}

/**
 * One line for each right that is missing, with who needs it and how it is granted; none when nothing is needed.
 * @throws YarakError `config` with the reason `no-cluster`; what the cluster answers
 */
export const missingPermissions = async ({ options, plugins, env }: Asking): Promise<readonly string[]> => {
  const needs = neededBy(options)
  if (needs.length === 0) return []
  const rules = mergePermissions(needs.map(({ rule }) => rule))
  return withLoneIo(options, env, async ({ resources, io }) => {
    const asked = plugins.resources.map(async (resource: Resource) => {
      if (!resource.missing) return []
      return resource.missing(await resources.use(resource), rules, io(resource.type))
    })
    return mergePermissions((await Promise.all(asked)).flat()).map((rule) => lineOf(rule, needs))
  })
}

/** @example 'may not patch pods (kubernetes:label of rule "Mark"); `yarak rbac` prints a role that allows it' */
const lineOf = (missing: PolicyRule, needs: readonly Need[]): string => {
  const users = needs.filter(({ rule }) => isPartOf(missing, rule)).map(({ by }) => by)
  const { namespace, warning: _, ...rule } = missing
  const [first = '', ...more] = [...new Set(users)]
  const others = more.length > 0 ? ` and ${more.length} more` : ''
  const role = namespace === 'own' ? 'Role in the own namespace' : 'ClusterRole'
  return `the account may not ${permissionText(missing)}, which ${first}${others} needs: add ${JSON.stringify(rule)} to its ${role}, as \`yarak rbac\` prints it`
}

/** Some of the missing verbs are among those of the rule. */
const isPartOf = (missing: PolicyRule, rule: PolicyRule): boolean =>
  missing.verbs.some((verb) => covers(rule, { ...missing, verbs: [verb] }))

/** There is no cluster to ask, which is no fault of itself. */
export const isWithoutCluster = (error: unknown): boolean =>
  error instanceof YarakError && ['no-cluster', 'missing_package'].includes(error.reason)

/** At a start that is to act: a warning for each right that is missing. Never rejects. */
export const warnOfMissing = async (asking: Asking, log: Log): Promise<void> => {
  if (asking.options.mode !== 'enforce') return
  try {
    for (const line of await missingPermissions(asking)) log.warn('a permission is missing', { missing: line })
  } catch (error) {
    if (isWithoutCluster(error)) return
    log.warn('whether all permissions are there could not be asked', { error: messageOf(asYarakError(error)) })
  }
}
