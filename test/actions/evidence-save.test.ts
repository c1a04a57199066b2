import { createHash } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text as textOf } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { slugged } from '../../src/actions/_text.ts'
import { evidenceSave } from '../../src/actions/evidence-save.ts'
import type { Step, StepReport } from '../../src/plugin.ts'
import { aStep, perform } from './step.ts'

const mark: StepReport = {
  id: 'mark',
  action: 'kubernetes:label',
  outcome: 'succeeded',
  summary: 'labelled',
  attempts: 1,
  duration: 3,
}

describe('evidence:save', () => {
  it('writes event, target and what the steps before did, and gives the file as artifact', async () => {
    const recorded = await aStep({
      fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1', big: 1 },
      previous: { mark },
      subject: { kind: 'Pod', key: 'pod/shop/web-1', uid: 'uid-1' },
    })
    const result = await perform(evidenceSave, {}, recorded)
    const [artifact] = result.artifacts ?? []
    expect(artifact?.name).toMatch(/_shop_web-1_abc123_act_evidence\.json$/)
    const path = fileURLToPath(artifact?.url ?? '')
    expect(path).toBe(join(recorded.step.dataDir, 'evidence', artifact?.name ?? ''))
    const bytes = await readFile(path)
    expect(artifact).toMatchObject({
      size: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    })
    expect(JSON.parse(bytes.toString())).toMatchObject({
      eventId: 'event-1',
      input: 'test',
      event: { rule: 'Terminal shell in container', output_fields: { 'k8s.pod.name': 'web-1' } },
      response: { id: 'abc123', rule: 'React', mode: 'enforce' },
      target: { key: 'pod/shop/web-1' },
      subject: { uid: 'uid-1' },
      steps: [{ id: 'mark', outcome: 'succeeded' }],
    })
    expect(result).toMatchObject({ summary: `saved ${artifact?.name}`, objects: { file: artifact?.name } })
  })

  it('is for the owner only, and leaves no draft', async () => {
    const recorded = await aStep()
    await perform(evidenceSave, {}, recorded)
    const dir = join(recorded.step.dataDir, 'evidence')
    const names = (await readdir(dir)).sort()
    expect(names).toEqual([expect.stringMatching(/_evidence\.json$/), expect.stringMatching(/\.custody\.json$/)])
    for (const name of names) expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600)
    expect((await stat(dir)).mode & 0o777).toBe(0o700)
  })

  it('keeps every digit of large integers', async () => {
    const recorded = await aStep()
    const { parseEvent } = await import('../../src/event.ts')
    const text =
      '{"rule":"r","priority":"Info","time":"2026-01-31T12:00:00Z","output_fields":{"n":12345678901234567890}}'
    const event = parseEvent(text, { id: 'e', input: 'test' })
    const { artifacts } = await perform(evidenceSave, {}, { ...recorded, step: { ...recorded.step, event } })
    expect(await readFile(fileURLToPath(artifacts?.[0]?.url ?? ''), 'utf8')).toContain('12345678901234567890')
  })

  it('hands the file to the step, which knows where it goes', async () => {
    const saved: unknown[] = []
    const save: Step['save'] = async (name, chunks, options) => {
      saved.push([name, options, JSON.parse(await textOf(Readable.from(chunks))) as unknown])
      return { name: 'in/the/store', url: 's3://bucket/in/the/store', size: 1, sha256: 'x' }
    }
    const result = await perform(evidenceSave, {}, await aStep({ save }))
    expect(saved).toEqual([
      ['evidence.json', { contentType: 'application/json' }, expect.objectContaining({ eventId: 'event-1' })],
    ])
    expect(result.artifacts).toMatchObject([{ url: 's3://bucket/in/the/store' }])
  })

  it('fails, to be tried again, where it cannot write', async () => {
    const recorded = await aStep()
    await writeFile(join(recorded.step.dataDir, 'evidence'), '')
    await expect(perform(evidenceSave, {}, recorded)).rejects.toMatchObject({
      code: 'failed',
      reason: 'eexist',
      permanent: false,
    })
  })

  it('changes nothing, and may do without a store', () => {
    expect(evidenceSave.changes).toBe('nothing')
    expect(evidenceSave.saves).toBe('maybe')
    expect(() => evidenceSave({ dir: './x' } as never)).toThrow('dir is not a known setting')
  })
})

describe('a part of a file name', () => {
  it.each([
    ['Terminal shell in container', 'terminal-shell-in-container'],
    ['../../x', 'x'],
    ['Ünï', 'n'],
    ['', 'rule'],
    ['///', 'rule'],
    [`${'a'.repeat(62)}  b`, 'a'.repeat(62)],
  ])('%j is %j', (text, slug) => expect(slugged(text, 'rule')).toBe(slug))

  it('is always one plain part', () => {
    fc.assert(fc.property(fc.string(), (text) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(slugged(text, 'rule'))))
  })
})
