/** A newcomer does what the pages say, in an empty folder, and sees what they show. */
import { describe, expect, it } from 'vitest'
import { closedPort } from '../cli/_kit.ts'
import { TUTORIALS, tutorialsIn } from './_pages.ts'
import { notPrinted, plain, runTutorial, scriptOf } from './_tutorial.ts'

const ALONE = TUTORIALS.filter(({ needs }) => needs.length === 0)

it.each(['config/LOCAL.md', 'config/OPERATIONS.md', 'src/TRACING.md'])('%s is one', (page) =>
  expect(ALONE.map((one) => one.page)).toContain(page),
)

describe.each(ALONE)('$page', (tutorial) => {
  it('works from its first command to its last, and shows what is printed', async () => {
    const { code, all, unseen } = await runTutorial(tutorial, { instead: { '2801': String(await closedPort()) } })
    expect(code === 0 ? 'done' : all).toBe('done')
    expect(unseen, all).toEqual([])
  }, 120_000)
})

describe('what does it', () => {
  const block = { page: 'x.md', line: 1, language: 'sh', name: '', text: 'true\n' }

  it('finds the blocks of a tutorial where they are', () => {
    const [tutorial] = tutorialsIn('config/LOCAL.md')
    const [first] = tutorial?.blocks ?? []
    expect(first?.line).toBeGreaterThan(3)
  })

  it('writes files and runs commands in their order', () => {
    const script = scriptOf([
      { ...block, language: 'yaml', name: 'a.yaml', text: 'x: $HOME\n' },
      block,
      { ...block, language: 'text', text: 'shown\n' },
    ])
    expect(script).toBe("cat > 'a.yaml' <<'END-OF-FILE'\nx: $HOME\nEND-OF-FILE\nprintf '\\n@@ line 1\\n'\ntrue")
  })

  it('tells what failed, and ends what was left', async () => {
    const blocks = [{ ...block, text: 'sleep 600 &\necho begun\nfalse\necho never\n' }]
    const { code, all } = await runTutorial({ page: 'x.md', needs: [], blocks })
    expect(code).toBe(1)
    expect(all).toContain('begun')
    expect(all).not.toContain('never')
  })

  it('compares what is shown with what the commands before it print', async () => {
    const blocks = [
      { ...block, text: 'echo at 2801\n' },
      { ...block, line: 5, language: 'text', text: 'at 2801\n' },
      { ...block, line: 9, language: 'text', text: 'at all\n' },
    ]
    const { unseen } = await runTutorial({ page: 'x.md', needs: [], blocks }, { instead: { '2801': '7' } })
    expect(unseen).toEqual(['x.md:9: at all'])
  })

  it('leaves out what differs from run to run', () => {
    expect(plain('   │  response 5a81bb06e67d5158 · shop/web-1   80.5 ms')).toBe(
      plain('   │  response 0123456789abcdef · shop/web-1     7.1 ms'),
    )
    expect(plain('at 2026-11-23T08:00:00Z')).toBe('at <time>')
  })

  it('misses what was not printed, or not in that order', () => {
    expect(notPrinted('one\n...\nthree', 'one\ntwo\nthree\n')).toEqual([])
    expect(notPrinted('three\none', 'one\ntwo\nthree\n')).toEqual(['one'])
    expect(notPrinted('four', 'one\n')).toEqual(['four'])
    expect(notPrinted('tw...', 'two\n')).toEqual([])
  })
})
