/** The values of another chart, as those of ours. */
import { printProblems } from '../config/index.ts'
import type { ConfigProblem } from '../config/problems.ts'
import { valuesText } from '../config/values/print.ts'
import type { ImportedValues } from '../config/values/read.ts'
import { Exit, plural, type Terminal } from './terminal.ts'

/** @param imported with problems only: it could not be read */
export const printValues = (
  file: string,
  imported: ImportedValues | { readonly problems: readonly ConfigProblem[] },
  terminal: Terminal,
): void => {
  const { problems } = imported
  terminal.err(printProblems(problems))
  if (!('values' in imported)) throw new Exit(1)
  const { values, notes, secrets } = imported
  if (secrets > 0)
    terminal.err(`${plural(secrets, 'secret')} of ${file} ${secrets > 1 ? 'stand' : 'stands'} in the output too\n`)
  terminal.out(valuesText(values, problems, notes))
  if (problems.some(({ severity }) => severity === 'error')) throw new Exit(1)
}
