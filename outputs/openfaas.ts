/** OpenFaaS: a function is called with the event, by the gateway. */
import { defineOutput, z } from '../src/plugin.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { faas, FAAS_NOTES, servicePort, serviceProxy } from './_faas.ts'
import { kubeName } from './_kube.ts'

const config = z.strictObject({
  functionName: kubeName().describe('Name of the function.'),
  functionNamespace: kubeName().default('openfaas-fn').describe('Namespace of the function. Default openfaas-fn.'),
  gatewayService: kubeName().default('gateway').describe('Name of the service of the gateway. Default gateway.'),
  gatewayNamespace: kubeName().default('openfaas').describe('Namespace of the gateway. Default openfaas.'),
  gatewayPort: servicePort(8080),
  serviceProxy: serviceProxy(),
})

type Config = z.output<typeof config>

/**
 * Calls a function of OpenFaaS with each notice as one JSON object, and waits for its answer.
 *
 * Source: the `openfaas` output of Falcosidekick 2.x (`outputs/openfaas.go`);
 * https://docs.openfaas.com/architecture/invocations/
 * @example openfaas({ functionName: 'on-falco-event' })
 */
export const openfaas = defineOutput({
  type: 'openfaas',
  summary: 'Calls an OpenFaaS function with the event.',
  notes: `
The function gets the event as its body; for the report of a response the same with \`response\`. The header
\`event-id\` is the same for every try.

${FAAS_NOTES}

Differences from Falcosidekick: \`event-id\` is sent in both ways, and is the \`uuid\` of the event; in place of
\`kubeconfig\` there is \`serviceProxy\` and the resource \`kubernetes\`; redirects are not followed.
`.trim(),
  config,
  ...faas((settings: Config) => {
    const { functionName, functionNamespace, gatewayService: service, gatewayNamespace: namespace } = settings
    return {
      service,
      namespace,
      port: settings.gatewayPort,
      host: `${service}.${namespace}`,
      path: ['function', `${functionName}.${functionNamespace}`],
    }
  }),
  example: {
    config: { functionName: 'on-falco-event' },
    sends: { url: 'http://gateway.openfaas:8080/function/on-falco-event.openfaas-fn', body: EXAMPLE_BODY },
  },
})
