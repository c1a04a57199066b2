import { describe, expect, test } from 'vitest'
import { choose } from './choose.ts'
import { entries } from './index.ts'
import { kafkaVersions } from './kafka.ts'

const labels = (...words: string[]) => choose(entries, words).map(({ label }) => label)
const [newest = '', before = ''] = kafkaVersions

describe('choosing parts', () => {
  test('by name, each once', () => {
    expect(labels('redis', 'kafka', 'redis')).toEqual(['redis', 'kafka'])
  })

  test('in a version, whole or by its beginning', () => {
    expect(labels(`kafka@${newest}`, 'kafka@3')).toEqual([`kafka@${newest}`, `kafka@${before}`])
    expect(choose(entries, ['kafka@3'])).toMatchObject([{ options: { version: before } }])
  })

  test.each([
    ['kafak', 'there is no part called kafak; did you mean kafka?'],
    ['postgresql', 'did you mean postgres?'],
    ['kube', 'there are: kafka, kubernetes'],
    ['kafka@2', `kafka comes as ${newest} or ${before}, not as 2`],
    ['redis@1', 'redis comes as 7.0.15, not as 1'],
  ])('%s: %s', (word, message) => {
    expect(() => labels(word)).toThrow(message)
  })

  test('no suggestion for what is like nothing', () => {
    expect(() => labels('qqqqqqqq')).not.toThrow('did you mean')
  })
})

test('every part has a name of its own and a version', () => {
  const names = entries.map(({ part }) => part.name)
  expect(new Set(names).size).toBe(names.length)
  for (const { part, versions = [part.version] } of entries) expect(versions.every(Boolean), part.name).toBe(true)
})
