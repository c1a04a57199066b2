/** The actions that Yarak brings along. */
import { evidenceSave } from './evidence-save.ts'
import { httpRequest } from './http-request.ts'
import { annotation } from './kubernetes/annotation.ts'
import { apply } from './kubernetes/apply.ts'
import { cordon } from './kubernetes/cordon.ts'
import { deleteResource } from './kubernetes/delete.ts'
import { drain } from './kubernetes/drain.ts'
import { event } from './kubernetes/event.ts'
import { evict } from './kubernetes/evict.ts'
import { label } from './kubernetes/label.ts'
import { log as kubernetesLog } from './kubernetes/log.ts'
import { networkpolicy } from './kubernetes/networkpolicy.ts'
import { patch } from './kubernetes/patch.ts'
import { rolloutRestart } from './kubernetes/rollout-restart.ts'
import { scale } from './kubernetes/scale.ts'
import { terminate } from './kubernetes/terminate.ts'
import { uncordon } from './kubernetes/uncordon.ts'
import { localScript } from './local-script.ts'
import { log } from './log.ts'

export const actions = [
  evidenceSave,
  httpRequest,
  annotation,
  apply,
  cordon,
  deleteResource,
  drain,
  event,
  evict,
  label,
  kubernetesLog,
  networkpolicy,
  patch,
  rolloutRestart,
  scale,
  terminate,
  uncordon,
  localScript,
  log,
]
