/** The audit record that the settings ask for. */
import { auditFile, type AuditFile } from '../audit-file.ts'
import { auditPath, type ConfigOptions } from '../config/index.ts'
import { areaLog } from '../log-area.ts'
import type { Log } from '../plugin.ts'

/** Undefined: the settings turn it off. */
export const openAudit = (
  options: ConfigOptions,
  log: Log,
  failed: (entries: number) => void = () => {},
): AuditFile | undefined => {
  const path = auditPath(options)
  return path === undefined ? undefined : auditFile({ path, log: areaLog(log, 'admin'), failed })
}
