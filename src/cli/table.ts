/** Columns on a terminal. */
import Table from 'cli-table3'

const NO_LINES = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((side) =>
    (side === 'left' || side === 'right'
      ? [side, `${side}-mid`]
      : [side, `${side}-mid`, `${side}-left`, `${side}-right`]
    ).map((name) => [name, '']),
  ),
)

/** Columns side by side, without lines. */
export const plainTable = (rows: readonly (readonly string[])[]): string => {
  const table = new Table({
    chars: { ...NO_LINES, 'left-mid': '', 'mid-mid': '', 'right-mid': '', middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  })
  for (const row of rows) table.push([...row])
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
