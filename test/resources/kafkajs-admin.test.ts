import type { Admin } from 'kafkajs'
import { expect, it } from 'vitest'
import { committedBy } from '../../src/resources/_kafkajs-admin.ts'

it('tells what a group has committed, and nothing of partitions where it has not', async () => {
  const asked: unknown[] = []
  const fetchOffsets = (question: { groupId: string; topics?: string[] }) => {
    asked.push(question)
    const partitions = [
      { partition: 0, offset: '42', metadata: null },
      { partition: 1, offset: '-1', metadata: null },
      { partition: 2, offset: '0', metadata: null },
    ]
    return Promise.resolve([{ topic: 'falco', partitions }])
  }
  expect(await committedBy({ fetchOffsets } as unknown as Admin, 'yarak', ['falco'])).toEqual([
    { topic: 'falco', partition: 0, offset: 42 },
    { topic: 'falco', partition: 2, offset: 0 },
  ])
  expect(asked).toEqual([{ groupId: 'yarak', topics: ['falco'] }])
})
