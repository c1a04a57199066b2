import { describe, expect, it } from 'vitest'
import { createPresenter, redactNotice } from '../src/present.ts'
import { createRedact, redactSettings } from '../src/redact.ts'
import { anEvent, aNotice, aReport } from '../src/testing.ts'

const redact = createRedact(redactSettings.parse({ fields: ['user.name'], presets: ['tokens'] }))
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

describe('a notice as outputs see it', () => {
  it('has the link to the trace of its report, wherever the id stands in it', () => {
    const present = createPresenter(undefined, 'http://tempo/{traceId}?id={traceId}')
    expect(present(aNotice({ report: aReport({ traceId: TRACE }) })).traceUrl).toBe(`http://tempo/${TRACE}?id=${TRACE}`)
    const plain = aNotice()
    expect(present(plain)).toBe(plain)
  })

  it('is the very notice when there is nothing to change', () => {
    const notice = aNotice({ event: anEvent({ output: 'o', output_fields: { 'proc.pid': 1 } }) })
    expect(createPresenter(redact, undefined)(notice)).toBe(notice)
  })

  it('has no secret in event and report, and keeps all else', () => {
    const event = anEvent({ output: 'by confidential', output_fields: { 'user.name': 'confidential' } })
    const report = aReport({ steps: [{ ...aReport().steps[0]!, summary: 'killed bash of confidential' }] })
    const notice = aNotice({ event, report, cluster: 'prod' })
    const seen = redactNotice(notice, redact)
    expect(JSON.stringify([seen.event.output, seen.event.fields, seen.report])).not.toContain('confidential')
    expect(seen).toMatchObject({ id: notice.id, cluster: 'prod', event: { id: event.id, rule: event.rule } })
    expect(redactNotice(seen, redact)).toEqual(seen)
  })
})
