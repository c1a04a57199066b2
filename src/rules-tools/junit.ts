/** Test results as JUnit XML, as CI servers read it. */
import type { RanCase, RanFile } from './run-file.ts'

/** What stands in an attribute or between tags; what XML cannot hold is left out. */
const escape = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;')

const seconds = (milliseconds: number): string => (milliseconds / 1_000).toFixed(3)

const sum = (cases: readonly RanCase[]): number => cases.reduce((total, { duration }) => total + duration, 0)

/**
 * A test suite for each file; a file that cannot be read is one failed case.
 * @param messageOf what is wrong with a case, as text
 */
export const junit = (files: readonly RanFile[], messageOf: (one: RanCase) => string): string => {
  const suites = files.map((one) => suiteOf(one, messageOf))
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="yarak test">\n${suites.join('')}</testsuites>\n`
}

const suiteOf = ({ file, problems, cases }: RanFile, messageOf: (one: RanCase) => string): string => {
  const errors = problems.filter(({ severity }) => severity === 'error').map(({ message }) => message)
  const failures = cases.filter(({ ok }) => !ok).length
  const broken = errors.length > 0 ? [caseOf(file, 'loads', 0, 'error', errors.join('\n'))] : []
  const lines = cases.map((one) => caseOf(file, one.name, one.duration, 'failure', one.ok ? undefined : messageOf(one)))
  const counts = `tests="${cases.length + broken.length}" failures="${failures}" errors="${broken.length}"`
  const attributes = `name="${escape(file)}" ${counts} time="${seconds(sum(cases))}"`
  return `  <testsuite ${attributes}>\n${[...broken, ...lines].join('')}  </testsuite>\n`
}

const caseOf = (file: string, name: string, duration: number, kind: string, message: string | undefined): string => {
  const start = `    <testcase classname="${escape(file)}" name="${escape(name)}" time="${seconds(duration)}"`
  if (message === undefined) return `${start}/>\n`
  return `${start}>\n      <${kind} message="${escape(message)}"/>\n    </testcase>\n`
}
