/** Where this process runs in a cluster, so that nothing it does is done to itself when nothing is set. */
import { existsSync, readFileSync } from 'node:fs'
import type { GuardSettings } from '../guard.ts'

/** Mounted into every pod that has a service account. */
const NAMESPACE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace'

/**
 * `POD_NAMESPACE` and `POD_NAME` where the manifest sets them; else what every pod is told: the namespace of its service
 * account, and its name as the host name. Outside of a pod nothing.
 * @see https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
 */
export const ownPlace = (
  env: Readonly<Record<string, string | undefined>>,
  file = NAMESPACE,
): Partial<Pick<GuardSettings, 'ownNamespace' | 'ownPod'>> => {
  const ownNamespace = env['POD_NAMESPACE'] || (existsSync(file) ? readFileSync(file, 'utf8').trim() : '')
  const ownPod = env['POD_NAME'] || env['HOSTNAME']
  return ownNamespace ? { ownNamespace, ...(ownPod && { ownPod }) } : {}
}
