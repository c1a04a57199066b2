/** Which notices an output is told. */
import type { DeliverySettings } from './delivery-settings.ts'
import { parsePriority, severity } from './event.ts'
import type { Scope } from './names.ts'
import type { Notice } from './plugin.ts'
import { compileSelection } from './rules/matcher.ts'

export type Wants = (notice: Notice, scope: Scope) => boolean

/** @throws YarakError `config` when the filter itself is wrong */
export const createFilter = (settings: DeliverySettings): Wants => {
  const lowest = parsePriority(settings.minimumPriority)
  const floor = lowest ? severity(lowest) : -1
  const selected = compileSelection(settings)
  return (notice, scope) => {
    const kind = notice.report ? 'responses' : 'events'
    const told = settings.tell === 'both' || settings.tell === kind
    return told && severity(notice.event.priority) >= floor && selected(scope)
  }
}
