/** Says after `npm test` which real parts were not there; `npm run test:real` tests with them. */
import { entries } from './index.ts'
import { rows, type Row } from './list.ts'

/** The peers are for benchmarks: nobody has to have them. */
const OPTIONAL = /^(falcosidekick|talon)$/

const lineOf = ({ name, state, reason }: Row): string | undefined => {
  if (reason !== undefined) return `skipped: ${name}: ${reason}`
  return state === 'cached' ? undefined : `skipped: ${name}: not in the cache; npm run real -- --ensure ${name} gets it`
}

/** With `CI=true` a part that cannot be had is a failure: a skipped test would pass unseen. */
export default function announce(): () => void {
  return () => {
    const needed = rows(entries).filter(({ name }) => !OPTIONAL.test(name))
    for (const line of needed.map(lineOf)) if (line) process.stdout.write(`${line}\n`)
    const missing = needed.filter(({ state }) => state === 'missing')
    if (process.env.CI === 'true' && missing.length > 0) {
      throw new Error(`with CI=true these must be there: ${missing.map(({ name }) => name).join(', ')}`)
    }
  }
}
