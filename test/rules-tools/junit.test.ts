import fc from 'fast-check'
import { expect, it } from 'vitest'
import { junit } from '../../src/rules-tools/junit.ts'

const suite = (name: string, message?: string) =>
  junit(
    [
      {
        file: name,
        problems: [],
        cases: [{ name, ok: message === undefined, differences: [], notes: [], duration: 1_234 }],
      },
    ],
    () => message ?? '',
  )

it('counts and times its cases', () => {
  expect(suite('a.test.yaml')).toBe(
    `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="yarak test">
  <testsuite name="a.test.yaml" tests="1" failures="0" errors="0" time="1.234">
    <testcase classname="a.test.yaml" name="a.test.yaml" time="1.234"/>
  </testsuite>
</testsuites>
`,
  )
})

it('stays well formed, whatever a name or a message holds', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (name, message) => {
      const xml = suite(name, message)
      const inAttributes = [...xml.matchAll(/="([^"]*)"/g)].map(([, text = '']) => text)
      expect(xml.replaceAll(/="[^"]*"/g, '')).toBe(suite('', '').replaceAll(/="[^"]*"/g, ''))
      for (const text of inAttributes) {
        expect(text).not.toMatch(/[<>]|&(?!amp;|lt;|gt;|quot;|#10;)/)
        expect(text).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/)
        expect(text.isWellFormed()).toBe(true)
      }
    }),
  )
})
