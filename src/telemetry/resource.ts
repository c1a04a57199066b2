/** What the telemetry of this process is about. */
import type { DetectedResource, Resource } from '@opentelemetry/resources'
import { type Env, type Tell, textOf } from './env.ts'

/** What a pod may be told of itself by the downward API. */
const KUBERNETES = {
  POD_NAME: 'k8s.pod.name',
  POD_NAMESPACE: 'k8s.namespace.name',
  NODE_NAME: 'k8s.node.name',
  CONTAINER_NAME: 'k8s.container.name',
} as const

/** Not its arguments, its title and its command line: they may hold tokens. */
const PROCESS = /^process\.(pid|owner|executable\.path|runtime\.\w+)$/

/** The later has the last word: what is found, `yarak`, what Kubernetes says, and what the user says. */
export const resourceOf = async (version: string, env: Env, tell: Tell): Promise<Resource> => {
  const sdk = await import('@opentelemetry/resources')
  const own = { 'service.name': 'yarak', 'service.version': version, ...kubernetesOf(env) }
  const resource = sdk
    .defaultResource()
    .merge(sdk.detectResources({ detectors: [sdk.serviceInstanceIdDetector, sdk.hostDetector, sdk.osDetector] }))
    .merge(sdk.resourceFromAttributes(processOf(sdk.processDetector.detect())))
    .merge(sdk.resourceFromAttributes(own))
    .merge(sdk.resourceFromAttributes(givenBy(env, sdk.resourceAttributesEnvDetector.detect(), tell)))
  // the id of the host is read from a file
  await resource.waitForAsyncAttributes?.()
  return resource
}

const processOf = ({ attributes = {} }: DetectedResource) =>
  Object.fromEntries(Object.entries(attributes).filter(([name]) => PROCESS.test(name)))

const kubernetesOf = (env: Env): Record<string, string> =>
  Object.fromEntries(
    Object.entries(KUBERNETES).flatMap(([name, attribute]) => {
      const value = textOf(env, name)
      return value === undefined ? [] : [[attribute, value]]
    }),
  )

const givenBy = (env: Env, { attributes = {} }: DetectedResource, tell: Tell) => {
  if (textOf(env, 'OTEL_RESOURCE_ATTRIBUTES') !== undefined && Object.keys(attributes).length === 0)
    tell('OTEL_RESOURCE_ATTRIBUTES is no list like name=value,other=value: it is not used')
  const name = textOf(env, 'OTEL_SERVICE_NAME')
  return name === undefined ? attributes : { ...attributes, 'service.name': name }
}
