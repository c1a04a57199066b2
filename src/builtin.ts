/** The plugins that Yarak brings along, for those who look them up by name. */
import { inputs } from '../inputs/index.ts'
import { outputs } from '../outputs/index.ts'
import { actions } from './actions/index.ts'
import type { Plugins } from './config/index.ts'
import { contexts } from './contexts/index.ts'
import { aws } from './resources/aws.ts'
import { azure } from './resources/azure.ts'
import { google } from './resources/google.ts'
import { kafka } from './resources/kafka-producer.ts'
import { kubernetes } from './resources/kubernetes.ts'

export const builtin: Plugins = {
  inputs,
  outputs,
  actions,
  resources: [aws, azure, google, kafka, kubernetes],
  contexts,
}
