/** Tutorials that need more than the program: as test/docs/tutorials.test.ts, with the real parts. */
import { describe, expect, it } from 'vitest'
import { TUTORIALS } from '../docs/_pages.ts'
import { runTutorial } from '../docs/_tutorial.ts'
import { jaeger } from './jaeger.ts'
import { kafka } from './kafka.ts'
import { freePort } from './part.ts'
import { describePart, running } from './vitest.ts'

/** What the pages call a real part by, and what it is here. */
const PARTS: Readonly<Record<string, (suite: (instead: () => Record<string, string>) => void) => void>> = {
  kafka: (suite) =>
    describePart(kafka, () => {
      const at = running(kafka, { properties: { 'auto.create.topics.enable': 'true' } })
      suite(() => ({ '127.0.0.1:9092': at().brokers[0] ?? '' }))
    }),
  jaeger: (suite) =>
    describePart(jaeger, () => {
      const at = running(jaeger)
      suite(() => ({ 'http://127.0.0.1:4318': at().otlpHttp, 'http://127.0.0.1:16686': at().queryUrl }))
    }),
}

const NEEDY = TUTORIALS.filter(({ needs }) => needs.length > 0)

describe('tutorials that need a real part', () => {
  it('are there, and say which', () => {
    expect(NEEDY.map(({ page }) => page)).toEqual(['inputs/KAFKA.md', 'src/TRACING.md'])
    for (const { needs } of NEEDY) expect(needs.filter((name) => !(name in PARTS))).toEqual([])
  })

  for (const tutorial of NEEDY) {
    const [name = ''] = tutorial.needs
    PARTS[name]?.((instead) =>
      it(`${tutorial.page} works from its first command to its last`, async () => {
        const [first, second] = [await freePort(), await freePort()]
        const ports = { '127.0.0.1:2801': `127.0.0.1:${first}`, '127.0.0.1:2802': `127.0.0.1:${second}` }
        const { code, all, unseen } = await runTutorial(tutorial, { instead: { ...ports, ...instead() } })
        expect(code === 0 ? 'done' : all).toBe('done')
        expect(unseen, all).toEqual([])
      }, 180_000),
    )
  }
})
