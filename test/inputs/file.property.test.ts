/** Random lives of folders of logs under the whole input. YARAK_RUNS=500 for more. */
import { it } from 'vitest'
import { liveTogether } from './_files-life.ts'

it('every line of every log comes, and none under two names', { timeout: 120_000 }, () =>
  liveTogether(Number(process.env.YARAK_RUNS ?? 60)),
)
