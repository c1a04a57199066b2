/** Fission: a function is called with the event, by the router. */
import { defineOutput, z } from '../src/plugin.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { faas, FAAS_NOTES, servicePort, serviceProxy } from './_faas.ts'
import { kubeName } from './_kube.ts'

const config = z.strictObject({
  function: kubeName().describe('Name of the function.'),
  routerNamespace: kubeName().default('fission').describe('Namespace of the router. Default fission.'),
  routerService: kubeName().default('router').describe('Name of the service of the router. Default router.'),
  routerPort: servicePort(80),
  serviceProxy: serviceProxy(),
})

type Config = z.output<typeof config>

/**
 * Calls a function of Fission with each notice as one JSON object, and waits for its answer.
 *
 * Source: the `fission` output of Falcosidekick 2.x (`outputs/fission.go`); https://fission.io/docs/architecture/router/
 * @example fission({ function: 'on-falco-event' })
 */
export const fission = defineOutput({
  type: 'fission',
  summary: 'Calls a Fission function with the event.',
  notes: `
The function gets the event as its body; for the report of a response the same with \`response\`. The header
\`event-id\` is the same for every try.

${FAAS_NOTES}

Differences from Falcosidekick: \`event-id\` is the \`uuid\` of the event; in place of \`kubeconfig\` there is
\`serviceProxy\` and the resource \`kubernetes\`; redirects are not followed.
`.trim(),
  config,
  ...faas((settings: Config) => {
    const { routerService: service, routerNamespace: namespace } = settings
    return {
      service,
      namespace,
      port: settings.routerPort,
      host: `${service}.${namespace}.svc.cluster.local`,
      path: ['fission-function', settings.function],
      headers: { 'content-type': 'application/json' },
    }
  }),
  example: {
    config: { function: 'on-falco-event' },
    sends: {
      url: 'http://router.fission.svc.cluster.local/fission-function/on-falco-event',
      body: EXAMPLE_BODY,
    },
  },
})
