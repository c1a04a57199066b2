/** The plugins that Yarak brings along, for those who look them up by name. */
import { inputs } from '../inputs/index.ts'
import { outputs } from '../outputs/index.ts'
import { actions } from './actions/index.ts'
import type { Plugins } from './config/index.ts'
import { kubernetes } from './resources/kubernetes.ts'

export const builtin: Plugins = { inputs, outputs, actions, resources: [kubernetes] }
