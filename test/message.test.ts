import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PRIORITIES } from '../src/event.ts'
import { message } from '../src/message.ts'
import type { Outcome } from '../src/plugin.ts'
import { aNotice, anEvent, aReport, oddEvents } from '../src/testing.ts'

const names = (fields: readonly { readonly name: string }[]) => fields.map(({ name }) => name)

describe('the message of an event', () => {
  it('has the priority and the rule as its title, and the output as its text', () => {
    expect(message(aNotice())).toMatchObject({
      title: '[Notice] Terminal shell in container',
      text: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
    })
  })

  it('names what happened first, then the fields by name, then the time', () => {
    expect(message(aNotice()).fields).toEqual([
      { name: 'rule', value: 'Terminal shell in container' },
      { name: 'priority', value: 'Notice' },
      { name: 'source', value: 'syscall' },
      { name: 'hostname', value: 'node-1' },
      { name: 'tags', value: 'container, shell, mitre_execution' },
      { name: 'container.id', value: '4f8e0c1d2b3a', isField: true },
      { name: 'k8s.ns.name', value: 'default', isField: true },
      { name: 'k8s.pod.name', value: 'web-1', isField: true },
      { name: 'proc.cmdline', value: 'bash', isField: true },
      { name: 'proc.pid', value: '4711', isField: true },
      { name: 'user.name', value: 'root', isField: true },
      { name: 'time', value: '2026-01-31T12:00:00.123456789Z' },
    ])
  })

  it('leaves out what the event does not have', () => {
    const event = anEvent({ hostname: null, tags: null, output_fields: { 'proc.name': null, 'user.uid': 0 } })
    expect(names(message(aNotice({ event })).fields)).toEqual(['rule', 'priority', 'source', 'user.uid', 'time'])
  })

  it('writes every type of field as text, with every digit', () => {
    const fields = { a: true, b: [1, 'x'], c: { d: null }, e: 1_769_860_800_123_456_789n, f: -1.5, g: '' }
    const { fields: shown } = message(aNotice({ event: anEvent({ output_fields: fields }) }))
    expect(Object.fromEntries(shown.map(({ name, value }) => [name, value]))).toMatchObject({
      a: 'true',
      b: '[1,"x"]',
      c: '{"d":null}',
      e: '1769860800123456789',
      f: '-1.5',
      g: '',
    })
  })

  it.each([
    ['Emergency', '#e20b0b'],
    ['Alert', '#ff5400'],
    ['Critical', '#ff5400'],
    ['Error', '#e20b0b'],
    ['Warning', '#ffc700'],
    ['Notice', '#5bffb5'],
    ['Informational', '#68c2ff'],
    ['Debug', '#ccfff2'],
  ])('is coloured by priority: %s is %s', (priority, colour) => {
    expect(message(aNotice({ event: anEvent({ priority }) })).colour).toBe(colour)
  })

  it('is made of any event', () => {
    for (const { name, event } of oddEvents()) {
      const { title, text, fields } = message(aNotice({ event }))
      expect([title, text, ...fields.flatMap(({ name, value }) => [name, value])], name).toSatisfy((all: unknown[]) =>
        all.every((one) => typeof one === 'string'),
      )
    }
  })

  it('has each field that has a value once, in order', () => {
    const fields = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)))
    fc.assert(
      fc.property(fields, fc.constantFrom(...PRIORITIES), (output_fields, priority) => {
        const event = anEvent({ output_fields, priority, tags: [], hostname: null, output: 'x' })
        const shown = names(message(aNotice({ event })).fields).slice(3, -1)
        const kept = Object.keys(output_fields).filter((name) => output_fields[name] !== null)
        expect(shown).toEqual(kept.sort())
      }),
    )
  })
})

describe('the message of a report', () => {
  it('says what was done', () => {
    expect(message(aNotice({ report: aReport() }))).toEqual({
      title: '[succeeded] Shell in a container',
      text: 'kubernetes:label: succeeded, labelled default/web-1\nkubernetes:terminate: succeeded',
      colour: '#23ba47',
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      fields: [
        { name: 'response', value: '7d0f4a2c9b1e' },
        { name: 'rule', value: 'Shell in a container' },
        { name: 'outcome', value: 'succeeded' },
        { name: 'mode', value: 'enforce' },
        { name: 'target', value: 'pod/default/web-1' },
        {
          name: 'event',
          value: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
        },
        { name: 'duration', value: '42 ms' },
        { name: 'trace', value: '4bf92f3577b34da6a3ce929d0e0e4736' },
        { name: 'time', value: '2026-01-31T12:00:00.200Z' },
      ],
    })
  })

  it('leaves out what it does not know', () => {
    const { target: _target, traceId: _traceId, ...report } = aReport({ steps: [] })
    const shown = message(aNotice({ report }))
    expect(shown.text).toBe('')
    expect(shown).not.toHaveProperty('traceId')
    expect(names(shown.fields)).not.toEqual(expect.arrayContaining(['target']))
    expect(names(shown.fields)).not.toEqual(expect.arrayContaining(['trace']))
  })

  it.each<[Outcome, string]>([
    ['gone', '#23ba47'],
    ['skipped', '#a4a8b1'],
    ['refused', '#ffc700'],
    ['failed', '#e20b0b'],
    ['timed_out', '#e20b0b'],
    ['unknown', '#e20b0b'],
    ['interrupted', '#e20b0b'],
  ])('is coloured by outcome: %s is %s', (outcome, colour) => {
    const shown = message(aNotice({ report: aReport({ outcome }) }))
    expect(shown).toMatchObject({ colour, title: `[${outcome}] Shell in a container` })
  })
})
