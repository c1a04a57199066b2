/** The public interface. Importing it loads no Kafka client, no Kubernetes client and no OpenTelemetry SDK. */
export { createGateway, type Gateway } from './gateway.ts'
export type { GatewayOptions, InputInput, Limits, OutputInput } from './options.ts'
export type { Health } from './health.ts'
export type { Match, RuleInput, StepInput } from './rules/rule.ts'
export { CODES, YarakError, type Code } from './errors.ts'
export { parseEvent, PRIORITIES, toJson, type FalcoEvent, type FieldValue, type Priority } from './event.ts'
export { VERSION } from './version.ts'
export {
  defineAction,
  defineContext,
  defineHttpOutput,
  defineInput,
  defineOutput,
  defineResource,
  type Action,
  type Context,
  type Emit,
  type Input,
  type Io,
  type Mode,
  type Notice,
  type Outcome,
  type Output,
  type Receipt,
  type Report,
  type Resource,
  type Result,
  type Sender,
  type State,
  type Step,
  type StepReport,
  type Use,
} from './plugin.ts'
