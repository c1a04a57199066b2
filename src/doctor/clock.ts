/** Whether our clock goes as those of others do. */
import { AHEAD } from '../guard/judge.ts'
import { about, type Finding, timeOf } from './finding.ts'

const { ok, warn, fail, skip } = about('clock')

/** A difference that is worth a word, in milliseconds. */
const NOTABLE = 5_000

const REMEDY = 'start chrony or systemd-timesyncd; `timedatectl` shows how it is'

/**
 * @param skews how far the clocks of others are ahead of ours, in milliseconds, by their names
 * @param maxEventAge of the guard, in milliseconds
 */
export const clockFindings = (
  skews: Readonly<Record<string, number | undefined>>,
  maxEventAge: number,
): readonly Finding[] => {
  const known = Object.entries(skews).flatMap(([name, skew]) => (skew === undefined ? [] : [{ name, skew }]))
  if (known.length === 0) return [skip('clock', 'nobody answered who told a time')]
  return known.map(({ name, skew }) => {
    const difference = `our clock is ${timeOf(skew)} ${skew > 0 ? 'behind' : 'ahead of'} it`
    if (skew > AHEAD)
      return fail(name, `${difference}: events are taken for coming from the future, and refused`, REMEDY)
    if (-skew > maxEventAge) return fail(name, `${difference}: events are taken for stale, and refused`, REMEDY)
    return Math.abs(skew) > NOTABLE ? warn(name, difference, REMEDY) : ok(name, 'our clock agrees with it')
  })
}
