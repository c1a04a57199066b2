/** The actions that Yarak brings along. */
import { lambda } from './aws/lambda.ts'
import { azureFunction } from './azure/function.ts'
import { evidenceSave } from './evidence-save.ts'
import { calicoNetworkpolicy } from './calico/networkpolicy.ts'
import { ciliumNetworkpolicy } from './cilium/networkpolicy.ts'
import { cloudRun } from './gcp/cloud-run.ts'
import { cloudFunction } from './gcp/function.ts'
import { httpRequest } from './http-request.ts'
import { publish } from './kafka/publish.ts'
import { annotation } from './kubernetes/annotation.ts'
import { apply } from './kubernetes/apply.ts'
import { checkpoint } from './kubernetes/checkpoint.ts'
import { cordon } from './kubernetes/cordon.ts'
import { debug } from './kubernetes/debug.ts'
import { deleteResource } from './kubernetes/delete.ts'
import { download } from './kubernetes/download.ts'
import { drain } from './kubernetes/drain.ts'
import { event } from './kubernetes/event.ts'
import { evict } from './kubernetes/evict.ts'
import { exec } from './kubernetes/exec.ts'
import { isolate } from './kubernetes/isolate.ts'
import { label } from './kubernetes/label.ts'
import { log as kubernetesLog } from './kubernetes/log.ts'
import { networkpolicy } from './kubernetes/networkpolicy.ts'
import { patch } from './kubernetes/patch.ts'
import { revokeTokens } from './kubernetes/revoke-tokens.ts'
import { rolloutRestart } from './kubernetes/rollout-restart.ts'
import { scale } from './kubernetes/scale.ts'
import { script } from './kubernetes/script.ts'
import { sysdig } from './kubernetes/sysdig.ts'
import { tcpdump } from './kubernetes/tcpdump.ts'
import { terminateContainer } from './kubernetes/terminate-container.ts'
import { terminate } from './kubernetes/terminate.ts'
import { uncordon } from './kubernetes/uncordon.ts'
import { localScript } from './local-script.ts'
import { log } from './log.ts'
import { retinaCapture } from './retina/capture.ts'
import { retinaObserve } from './retina/observe.ts'

export const actions = [
  lambda,
  azureFunction,
  calicoNetworkpolicy,
  ciliumNetworkpolicy,
  evidenceSave,
  cloudRun,
  cloudFunction,
  httpRequest,
  publish,
  annotation,
  apply,
  checkpoint,
  cordon,
  debug,
  deleteResource,
  download,
  drain,
  event,
  evict,
  exec,
  isolate,
  label,
  kubernetesLog,
  networkpolicy,
  patch,
  revokeTokens,
  rolloutRestart,
  scale,
  script,
  sysdig,
  tcpdump,
  terminate,
  terminateContainer,
  uncordon,
  localScript,
  log,
  retinaCapture,
  retinaObserve,
]
