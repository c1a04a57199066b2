import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { slugged } from '../../src/actions/_text.ts'
import { evidenceSave } from '../../src/actions/evidence-save.ts'
import type { StepReport } from '../../src/plugin.ts'
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
    expect(artifact?.name).toMatch(/^\d{8}T\d{6}\.\d{3}Z_react_abc123\.json$/)
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
    const [name, ...more] = await readdir(dir)
    expect(more).toEqual([])
    expect((await stat(join(dir, name ?? ''))).mode & 0o777).toBe(0o600)
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

  it('goes where it is told', async () => {
    const recorded = await aStep()
    const dir = join(recorded.step.dataDir, 'a', 'b')
    await perform(evidenceSave, { dir }, recorded)
    expect(await readdir(dir)).toHaveLength(1)
  })

  it('lets no name from an event out of its directory', async () => {
    const recorded = await aStep({ response: { id: '../../x', rule: '../../etc/passwd', traceparent: undefined } })
    const { artifacts } = await perform(evidenceSave, {}, recorded)
    expect(artifacts?.[0]?.name).toMatch(/Z_etc-passwd_x\.json$/)
    expect(await readdir(join(recorded.step.dataDir, 'evidence'))).toHaveLength(1)
  })

  it('fails, to be tried again, where it cannot write', async () => {
    const recorded = await aStep()
    const file = join(recorded.step.dataDir, 'file')
    await writeFile(file, '')
    await expect(perform(evidenceSave, { dir: join(file, 'x') }, recorded)).rejects.toMatchObject({
      code: 'failed',
      reason: 'enotdir',
      permanent: false,
    })
  })

  it('leaves no draft where the file cannot be put in place', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-01-31T12:00:00.5Z') })
    onTestFinished(() => void vi.useRealTimers())
    const recorded = await aStep()
    const dir = join(recorded.step.dataDir, 'evidence')
    await mkdir(join(dir, '20260131T120000.500Z_react_abc123.json'), { recursive: true })
    await expect(perform(evidenceSave, {}, recorded)).rejects.toMatchObject({ code: 'failed', reason: 'eisdir' })
    expect(await readdir(dir)).toEqual(['20260131T120000.500Z_react_abc123.json'])
  })

  it('changes nothing, and its directory is no template', () => {
    expect(evidenceSave.changes).toBe('nothing')
    expect(() => evidenceSave({ dir: './{{ rule }}' })).toThrow('dir must be fixed text')
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
