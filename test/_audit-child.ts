/** Writes to an audit record until it is killed. */
import { setImmediate as turn } from 'node:timers/promises'
import { auditFile } from '../src/audit-file.ts'
import { SILENT } from '../src/options.ts'

const audit = auditFile({ path: process.argv[2] ?? '', log: SILENT })
for (let i = 1; ; i++) {
  audit.append({ kind: i % 7 ? 'guard' : 'step', who: 'rule x', what: 'kubernetes:delete', verdict: `${i}`.repeat(40) })
  if (i % 50 === 0) await turn()
  if (i === 50) process.stdout.write('writing\n')
}
