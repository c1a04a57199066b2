import { describe, expect, it } from 'vitest'
import { createCounters } from '../src/counters.ts'
import { createLag } from '../src/lag.ts'

describe('the lag of inputs', () => {
  it('is a gauge with one series for each part, each with its last value', () => {
    const counters = createCounters()
    const note = createLag(counters)
    note({ input: 'kafka', topic: 'falco', partition: '0' }, 7)
    note({ input: 'kafka', topic: 'falco', partition: '1' }, 9)
    note({ input: 'kafka', topic: 'falco', partition: '0' }, 3)
    const lines = counters.text().split('\n')
    expect(lines).toContain('# TYPE yarak_input_lag gauge')
    expect(lines.filter((line) => line.startsWith('yarak_input_lag{'))).toEqual([
      'yarak_input_lag{input="kafka",topic="falco",partition="0"} 3',
      'yarak_input_lag{input="kafka",topic="falco",partition="1"} 9',
    ])
  })

  it('does not grow without bound', () => {
    const counters = createCounters()
    const note = createLag(counters)
    for (let i = 0; i < 10_010; i++) note({ input: 'kafka', topic: 't', partition: String(i) }, 1)
    const parts = counters.text().match(/^yarak_input_lag\{.*/gm)
    expect(parts).toHaveLength(1_001)
    expect(parts?.at(-1)).toBe('yarak_input_lag{input="overflow",topic="overflow",partition="overflow"} 9000')
  })
})
