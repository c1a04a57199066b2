import { describe, expect, it } from 'vitest'
import { type Facts, factsText, NO_FACTS, readFacts, stepFact } from '../src/claim-facts.ts'
import { reportOf, stepReport } from './_claim-kit.ts'

describe('what a claim tells of a step', () => {
  it('is its report, whole where it is short', () => {
    const step = stepReport('look', {
      output: 'x',
      objects: { pod: 'web-1' },
      error: { code: 'c', reason: 'r', message: 'm' },
    })
    expect(stepFact(step, step)).toEqual(step)
  })

  it('is cut where it is only for people, and left out where a later step would use a part of it', () => {
    const step = stepReport('look', {
      ...{ summary: 's'.repeat(5_000), output: 'o'.repeat(9_000), objects: { pod: 'p'.repeat(9_000) } },
      error: { code: 'failed', reason: 'r', message: 'm'.repeat(5_000) },
      artifacts: [{ name: 'a', url: 'u'.repeat(9_000), size: 1, sha256: 'x' }],
    })
    const fact = stepFact(step, step)
    expect([fact.summary.length, fact.error?.message.length]).toEqual([1_001, 1_001])
    expect(Object.keys(fact)).toEqual(expect.not.arrayContaining(['output', 'objects', 'artifacts']))
  })

  it('is what was redacted only where people read it', () => {
    const step = stepReport('look', { summary: 'token abc', output: 'abc', objects: { pod: 'web-1' } })
    const clean = { ...step, summary: 'token [redacted]', output: '[redacted]' }
    expect(stepFact(step, clean)).toMatchObject({ summary: 'token [redacted]', objects: { pod: 'web-1' } })
    expect(stepFact(step, clean)).not.toHaveProperty('output')
  })
})

describe('the facts of a claim', () => {
  const many = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [`s${i}`, stepReport(`s${i}`, { output: 'o'.repeat(8_000) })] as const),
    )

  it('are read as they were written', () => {
    const facts: Facts = {
      ...{ traceparent: '00-a-b-01', begun: { kill: { uid: 'u1' }, wait: { until: 1 } } },
      ...{ ended: { mark: stepReport('mark') }, report: reportOf([stepReport('mark')]) },
    }
    expect(readFacts(factsText(facts))).toEqual(facts)
    expect(readFacts(factsText(NO_FACTS))).toEqual(NO_FACTS)
  })

  it('fit into an annotation: of many long ones, what later steps may use is left out', () => {
    const ended = many(60)
    const report = reportOf(Object.values(ended))
    for (const facts of [
      { begun: {}, ended },
      { begun: {}, ended: {}, report },
    ]) {
      const text = factsText(facts)
      expect(Buffer.byteLength(text)).toBeLessThan(256 * 1024)
      const read = readFacts(text)
      const steps = read.report?.steps ?? Object.values(read.ended)
      expect(steps).toHaveLength(60)
      expect(steps.every(({ output, summary }) => output === undefined && summary.startsWith('did s'))).toBe(true)
    }
    expect(readFacts(factsText({ begun: {}, ended: many(10) })).ended['s1']?.output).toHaveLength(8_000)
  })

  it('fit into it also when all that is for people is long, and takes six bytes a character', () => {
    const text = '\u0001'.repeat(1_001)
    const error = { code: 'failed', reason: 'exit-1', message: text }
    const steps = Array.from({ length: 60 }, (_, i) => stepReport(`s${i}`, { summary: text, error }))
    const ended = Object.fromEntries(steps.map((step) => [step.id, step]))
    const facts = factsText({ begun: {}, ended, report: reportOf(steps) })
    expect(Buffer.byteLength(facts)).toBeLessThan(256 * 1024)
    expect(readFacts(facts).report?.steps[59]).toMatchObject({ id: 's59', error: { reason: 'exit-1' } })
  })

  it.each([
    '',
    '{',
    '[]',
    '{"begun":{}}',
    '{"begun":1,"ended":{}}',
    '{"begun":{},"ended":{"a":{"id":1}}}',
    '{"begun":{},"ended":{},"report":{}}',
  ])('that are none are an error: %s', (text) =>
    expect(() => readFacts(text)).toThrow('the facts of a claim cannot be read'),
  )
})
