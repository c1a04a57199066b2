/** Findings as people read them. */
import pc from 'picocolors'
import { plural } from '../cli/terminal.ts'
import { oneLine, printable } from '../cli/text.ts'
import { type Finding, GROUPS, type Status } from './finding.ts'

/** Longer messages are those of others. */
const WIDTH = 400

/** @param colours whether a terminal shows them; without, there are words alone */
export const printFindings = (findings: readonly Finding[], colours: boolean): string => {
  const { bold } = pc.createColors(colours)
  const parts = GROUPS.flatMap((group) => {
    const own = findings.filter((one) => one.group === group)
    return own.length === 0 ? [] : [`${bold(group)}\n${own.map((one) => lineOf(one, colours)).join('')}\n`]
  })
  return `${parts.join('')}${summaryOf(findings)}\n`
}

const lineOf = ({ status, name, message, remedy, place }: Finding, colours: boolean): string => {
  const at = place === undefined ? '' : `${oneLine(place, WIDTH)}: `
  const line = `  ${markOf(status, colours)}  ${oneLine(name, WIDTH)}: ${at}${oneLine(message, WIDTH)}\n`
  return status === 'ok' || remedy === undefined
    ? line
    : `${line}        remedy: ${printable(remedy).replaceAll('\n', '\n          ')}\n`
}

const markOf = (status: Status, colours: boolean): string => {
  const { green, yellow, red, dim } = pc.createColors(colours)
  const paint = { ok: green, warn: yellow, fail: red, skip: dim }[status]
  const mark = { ok: '✓', warn: '!', fail: '✗', skip: '-' }[status]
  return paint(colours ? `${mark} ${status.padEnd(4)}` : status.padEnd(4))
}

/** @example '12 ok, 2 warnings, 1 failure, 3 skipped' */
export const summaryOf = (findings: readonly Finding[]): string => {
  const count = (status: Status): number => findings.filter((one) => one.status === status).length
  return `${count('ok')} ok, ${plural(count('warn'), 'warning')}, ${plural(count('fail'), 'failure')}, ${count('skip')} skipped`
}
