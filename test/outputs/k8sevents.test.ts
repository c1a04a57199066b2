import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type KubeEvent, microTime, reasonOf, withinBytes } from '../../outputs/_kube-event.ts'
import { k8sevents } from '../../outputs/k8sevents.ts'
import type { Notice } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { type FakeReports, fakeReports } from './_fake-reports.ts'

const NEVER = new AbortController().signal
const UID = '8e2f0b6c-3c1f-4f6e-9d55-0a4a3c1b2d3e'

/** A cluster with the namespace of the sample event and its pod. */
const cluster = (...namespaces: readonly string[]): FakeReports => {
  const fake = fakeReports('default', 'yarak', ...namespaces)
  fake.objects.set('/api/v1/namespaces/default/pods/web-1', { metadata: { name: 'web-1', uid: UID } } as never)
  return fake
}

const openedIn = (fake: FakeReports) => {
  const sender = k8sevents.open({}, fake.io)
  return async (...notices: readonly Notice[]) => (await sender).send(notices, NEVER)
}

const eventsIn = (fake: FakeReports): KubeEvent[] =>
  [...fake.objects].flatMap(([path, kept]) => (path.includes('/events/') ? [kept as unknown as KubeEvent] : []))

const told = async (notice: Notice): Promise<KubeEvent> => {
  const fake = cluster()
  await openedIn(fake)(notice)
  return eventsIn(fake)[0] ?? expect.fail('no Event')
}

describe('an Event', () => {
  it('of an alert is about the pod, by its uid', async () => {
    expect(await told(aNotice({ event: anEvent({ priority: 'Warning' }) }))).toEqual({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: {
        name: expect.stringMatching(/^yarak-[0-9a-f]{24}$/) as string,
        namespace: 'default',
        resourceVersion: '1',
      },
      regarding: { apiVersion: 'v1', kind: 'Pod', name: 'web-1', namespace: 'default', uid: UID },
      reportingController: 'yarak.dev/yarak',
      reportingInstance: 'yarak',
      type: 'Warning',
      reason: 'TerminalShellInContainer',
      action: 'Alert',
      note: `[Warning] Terminal shell in container: ${anEvent().output}`,
      eventTime: '2026-01-31T12:00:00.123456Z',
    })
  })

  it('of a report says what was done, how long it took, where its trace is and how to undo it', async () => {
    const steps = aReport().steps.map((step) => ({ ...step, undoable: true }))
    const report = aReport({ outcome: 'timed_out', steps })
    expect(await told(aNotice({ report, traceUrl: 'https://jaeger.example.com/4b' }))).toMatchObject({
      type: 'Warning',
      reason: 'ShellInAContainerTimedOut',
      action: 'kubernetes:label,kubernetes:terminate',
      note:
        '[timed_out] Shell in a container; kubernetes:label: succeeded, labelled default/web-1; ' +
        'kubernetes:terminate: succeeded; 42 ms; trace https://jaeger.example.com/4b; ' +
        `undo: yarak responses undo ${report.id}`,
      eventTime: '2026-01-31T12:00:00.200000Z',
    })
  })

  it('of a long report keeps its trace and how to undo it', async () => {
    const [step] = aReport().steps
    const steps = Array.from({ length: 40 }, () => ({ ...step!, summary: 'ö'.repeat(100), undoable: true }))
    const { note, action } = await told(aNotice({ report: aReport({ steps }) }))
    expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1_024)
    expect(note).toMatch(/… \[cut\]; 42 ms; trace 4bf9\w+; undo: yarak responses undo 7d0f4a2c9b1e$/)
    expect(action).toHaveLength(128)
  })

  it.each([
    ['Emergency', 'Warning'],
    ['Warning', 'Warning'],
    ['Notice', 'Normal'],
    ['Debug', 'Normal'],
  ])('of the priority %s is %s', async (priority, type) => {
    expect(await told(aNotice({ event: anEvent({ priority }) }))).toMatchObject({ type })
  })

  it.each(['succeeded', 'gone', 'skipped'] as const)('of a response that %s is Normal', async (outcome) => {
    const report = aReport({ outcome, steps: [] })
    expect(await told(aNotice({ report }))).toMatchObject({ type: 'Normal', action: 'Respond' })
  })

  it('takes the uid that the alert tells, and asks for none', async () => {
    const fake = cluster()
    const output_fields = { 'k8s.ns.name': 'default', 'k8s.pod.name': 'web-1', 'k8s.pod.uid': 'other-uid' }
    await openedIn(fake)(aNotice({ event: anEvent({ output_fields }) }))
    expect(fake.requests.map(({ method }) => method)).toEqual(['POST'])
    expect(eventsIn(fake)[0]?.regarding.uid).toBe('other-uid')
  })

  it.each([
    [{ 'k8s.ns.name': 'default', 'k8s.pod.name': 'gone' }, 'node-1', 'default', { kind: 'Pod', name: 'gone' }],
    [{}, 'node-1', 'default', { kind: 'Node', name: 'node-1', uid: 'node-1' }],
    [{ 'k8s.ns.name': 'default' }, 'node-1', 'default', { kind: 'Namespace', name: 'default' }],
    [{}, null, 'yarak', { kind: 'Namespace', name: 'yarak' }],
    [{ 'k8s.pod.name': 'web-1' }, null, 'yarak', { kind: 'Pod', name: 'web-1', namespace: 'yarak' }],
    [{ 'k8s.ns.name': '../x', 'k8s.pod.name': 'a/b' }, '//evil', 'yarak', { kind: 'Namespace', name: 'yarak' }],
  ])('with the fields %j of host %j is in %s', async (output_fields, hostname, namespace, regarding) => {
    const event = await told(aNotice({ event: anEvent({ output_fields, hostname }) }))
    expect(event).toMatchObject({ metadata: { namespace }, regarding })
    if (regarding.name === 'gone') expect(event.regarding).not.toHaveProperty('uid')
  })

  it('where there is no such namespace is about our own, and names the pod', async () => {
    const output_fields = { 'k8s.ns.name': 'no-such', 'k8s.pod.name': 'web-1' }
    expect(await told(aNotice({ event: anEvent({ output_fields }) }))).toMatchObject({
      metadata: { namespace: 'yarak' },
      regarding: { kind: 'Namespace', name: 'yarak' },
      note: expect.stringMatching(/^Pod no-such\/web-1: \[Notice\] Terminal/) as string,
    })
  })

  it('is obeyed by no terminal, and within 1,024 bytes', () => {
    const text = fc.string({
      unit: fc.constantFrom('x', 'ö', '🦉', '\n', '\u001b', '\u202e', '\ud800'),
      maxLength: 2_000,
    })
    fc.assert(
      fc.property(text, (output) => {
        const { note } = k8sevents.preview?.(aNotice({ event: anEvent({ output }) }), {}) as KubeEvent
        expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1_024)
        expect(note).toMatch(/^[^\p{Cc}\u202e]*$/u)
        expect(note).not.toContain('\ufffd'.repeat(2))
      }),
      { numRuns: 50 },
    )
  })
})

describe('the same alert', () => {
  const at = (time: string, id: string): Notice => aNotice({ id, event: anEvent({ time }) })

  it('again raises the count of its Event', async () => {
    const fake = cluster()
    const tell = openedIn(fake)
    await tell(at('2026-01-31T12:00:00Z', 'a'), at('2026-01-31T12:00:01Z', 'b'), at('2026-01-31T12:00:02Z', 'c'))
    expect(eventsIn(fake)).toMatchObject([
      {
        eventTime: '2026-01-31T12:00:00.000000Z',
        series: { count: 3, lastObservedTime: '2026-01-31T12:00:02.000000Z' },
      },
    ])
    expect(fake.requests.at(-1)).toMatchObject({ method: 'PATCH', contentType: 'application/merge-patch+json' })
  })

  it('is counted rightly when many are told at a time', async () => {
    const fake = cluster()
    const tell = openedIn(fake)
    await Promise.all(Array.from({ length: 20 }, (_, i) => tell(at('2026-01-31T12:00:00Z', `n${i}`))))
    expect(eventsIn(fake).map(({ series }) => series?.count)).toEqual([20])
  })

  it('is not counted twice when the API server was too slow', async () => {
    const fake = cluster()
    const tell = openedIn(fake)
    await tell(at('2026-01-31T12:00:00Z', 'a'))
    let fails = 1
    fake.before = ({ method }) => (method === 'PATCH' && fails-- > 0 ? 503 : undefined)
    await expect(tell(at('2026-01-31T12:00:01Z', 'b'))).rejects.toMatchObject({ permanent: false, reason: '503' })
    await tell(at('2026-01-31T12:00:01Z', 'b'))
    expect(eventsIn(fake)[0]?.series?.count).toBe(2)
  })

  it('is a new Event when the API server has forgotten the first', async () => {
    const fake = cluster()
    const tell = openedIn(fake)
    await tell(at('2026-01-31T12:00:00Z', 'a'))
    const [path] = [...fake.objects.keys()].filter((one) => one.includes('/events/'))
    fake.objects.delete(path ?? '')
    await tell(at('2026-01-31T12:00:01Z', 'b'), at('2026-01-31T12:00:02Z', 'c'))
    expect(eventsIn(fake).map(({ series }) => series?.count)).toEqual([2])
  })

  it('of another text, pod or priority is another Event', async () => {
    const fake = cluster()
    const others = [{}, { output: 'other' }, { priority: 'Error' }, { output_fields: { 'k8s.pod.name': 'web-2' } }]
    await openedIn(fake)(...others.map((members, i) => aNotice({ id: `n${i}`, event: anEvent(members) })))
    expect(eventsIn(fake)).toHaveLength(4)
  })

  it('told again by another try is the same Event', async () => {
    const fake = cluster()
    await openedIn(fake)(at('2026-01-31T12:00:00Z', 'a'))
    await openedIn(fake)(at('2026-01-31T12:00:00Z', 'a'))
    expect(eventsIn(fake)).toHaveLength(1)
  })

  it('many times is one Event with its count, for a digest', async () => {
    const digest = { count: 12, first: '2026-01-31T12:00:00Z', last: '2026-01-31T12:01:00.5Z' }
    expect(await told(aNotice({ digest }))).toMatchObject({
      eventTime: '2026-01-31T12:00:00.000000Z',
      series: { count: 12, lastObservedTime: '2026-01-31T12:01:00.500000Z' },
    })
  })
})

describe('words', () => {
  it.each([
    ['Terminal shell in container', 'TerminalShellInContainer'],
    ['read /etc/shadow (T1003)', 'ReadEtcShadowT1003'],
    ['Règle très sûre', 'RegleTresSure'],
    ['規則 🦉', 'Falco'],
    ['2 shells', 'Falco2Shells'],
    ['x'.repeat(200), `X${'x'.repeat(127)}`],
  ])('of %s are %s', (name, reason) => {
    expect(reasonOf(name)).toBe(reason)
  })

  it('are one word of at most 128 characters for any rule', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        expect(reasonOf(name)).toMatch(/^[A-Z][A-Za-z0-9]{0,127}$/)
      }),
    )
  })

  it('fit as bytes, a character never cut in two', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 100 }), fc.integer({ min: 20, max: 200 }), (text, bytes) => {
        const cut = withinBytes(text, bytes)
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(bytes)
        if (cut !== text) expect(text.startsWith(cut.replace('… [cut]', ''))).toBe(true)
      }),
    )
  })

  it.each([
    ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.000000Z'],
    ['2026-01-31T14:00:00.1+02:00', '2026-01-31T12:00:00.100000Z'],
    ['2026-01-31T12:00:00.123456789Z', '2026-01-31T12:00:00.123456Z'],
  ])('of the time %s are %s', (time, micro) => {
    expect(microTime(time)).toBe(micro)
  })
})
