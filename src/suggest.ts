/** "Did you mean": the nearest of the names that would have been right. */

/** How many single-character edits (insert, delete, replace, swap of neighbours) lie between two texts. */
export const editDistance = (from: string, to: string): number => {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)]
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1]
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      row.push(
        Math.min(
          cell(rows, i - 1, j) + 1,
          cell([row], 0, j - 1) + 1,
          cell(rows, i - 1, j - 1) + (same ? 0 : 1),
          swapped ? cell(rows, i - 2, j - 2) + 1 : Infinity,
        ),
      )
    }
    rows.push(row)
  }
  return cell(rows, from.length, to.length)
}

const cell = (rows: readonly (readonly number[])[], row: number, column: number): number => rows[row]?.[column] ?? 0

/** What people mix up without a typing error: case, `-`, `_`, `.` and `:`. */
const folded = (text: string): string => text.toLowerCase().replaceAll(/[-_.:]/g, '')

/**
 * The known name nearest to a wrong one; undefined when none is near enough to be meant.
 * @example nearest('colour', ['color', 'channel']) // 'color'
 */
export const nearest = (wrong: string, known: Iterable<string>): string | undefined => {
  const word = folded(wrong).slice(0, 64)
  const limit = Math.max(1, Math.floor(word.length / 3))
  const ranked = [...known]
    .map((name) => ({ name, distance: editDistance(word, folded(name).slice(0, 64)) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance)
  return ranked[0]?.name
}

/** `; did you mean \`color\`?`, or the whole list when it is short and nothing is near, or nothing. */
export const suggestion = (wrong: string, known: Iterable<string>): string => {
  const names = [...known]
  const best = nearest(wrong, names)
  if (best !== undefined) return `; did you mean \`${best}\`?`
  return names.length > 0 && names.length <= 16 ? `; known are ${names.sort().join(', ')}` : ''
}
