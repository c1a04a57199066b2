/**
 * For the tests of plugins and of programs that embed Yarak. Works with any test runner: a case is a name and a
 * function that rejects when it does not hold.
 *
 * @example
 * import { describe, it } from 'node:test'
 * import { outputCases } from 'yarak/testing'
 * import { pager } from './pager.ts'
 *
 * describe('pager', () => {
 *   for (const { name, run } of outputCases(pager)) it(name, run)
 * })
 *
 * @example
 * import { aNotice, testIo } from 'yarak/testing'
 *
 * const io = testIo({ answer: { status: 202 } })
 * const sender = await pager.open(pager.config.parse({ url: 'https://pager.example.com' }), io)
 * await sender.send([aNotice()], AbortSignal.timeout(1_000))
 * io.requests[0] // { method: 'POST', url: 'https://pager.example.com', headers, body }
 */
export { type ActionCaseOptions, actionCases, type InputCaseOptions, inputCases } from './testing/actions-and-inputs.ts'
export type { Case } from './testing/cases.ts'
export { checkAction, checkContext, checkInput, checkOutput, contextCases } from './testing/check.ts'
export {
  type Emitted,
  type RecordedLine,
  type RecordedSpan,
  testInputIo,
  type TestInputIo,
  testIo,
  type TestIo,
  type TestIoOptions,
  testStep,
  type TestStep,
} from './testing/io.ts'
export { type OutputCaseOptions, outputCases } from './testing/outputs.ts'
export { type Answer, type Answers, type Reaction, type RecordedRequest } from './testing/recorder.ts'
export { aNotice, anEvent, aReport, type EventMembers, oddEvents } from './testing/samples.ts'
