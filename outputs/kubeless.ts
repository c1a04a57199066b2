/** Kubeless: a function is called with the event, by its service. */
import { defineOutput, z } from '../src/plugin.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { faas, FAAS_NOTES, servicePort, serviceProxy } from './_faas.ts'
import { kubeName } from './_kube.ts'

const config = z.strictObject({
  function: kubeName().describe('Name of the function, which is that of its service.'),
  namespace: kubeName().describe('Namespace of the function.'),
  port: servicePort(8080),
  serviceProxy: serviceProxy(),
})

type Config = z.output<typeof config>

/**
 * Calls a function of Kubeless with each notice as one JSON object, and waits for its answer.
 *
 * Source: the `kubeless` output of Falcosidekick 2.x (`outputs/kubeless.go`).
 * @example kubeless({ function: 'on-falco-event', namespace: 'falco' })
 */
export const kubeless = defineOutput({
  type: 'kubeless',
  summary: 'Calls a Kubeless function with the event.',
  notes: `
Kubeless is retired: its repository is archived since 2021. This output is for those who still run it.

The function gets the event as its body; for the report of a response the same with \`response\`. The header
\`event-id\` is the same for every try; \`event-type\` is \`falco\`, \`event-namespace\` is the namespace of the function.

${FAAS_NOTES}

Differences from Falcosidekick: \`event-id\` is the \`uuid\` of the event; in place of \`kubeconfig\` there is
\`serviceProxy\` and the resource \`kubernetes\`; redirects are not followed.
`.trim(),
  config,
  ...faas((settings: Config) => {
    const { function: service, namespace, port } = settings
    return {
      service,
      namespace,
      port,
      host: `${service}.${namespace}.svc.cluster.local`,
      path: [''],
      headers: { 'content-type': 'application/json', 'event-type': 'falco', 'event-namespace': namespace },
    }
  }),
  example: {
    config: { function: 'on-falco-event', namespace: 'falco' },
    sends: { url: 'http://on-falco-event.falco.svc.cluster.local:8080/', body: EXAMPLE_BODY },
  },
})
