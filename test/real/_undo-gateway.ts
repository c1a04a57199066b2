/** A gateway in a process of its own, so that it can be killed: prints its log, one JSON object a line. */
import { actions } from '../../src/actions/index.ts'
import { createGateway } from '../../src/index.ts'
import { label } from '../../src/actions/kubernetes/label.ts'
import { networkpolicy } from '../../src/actions/kubernetes/networkpolicy.ts'
import { kubernetes } from '../../src/resources/kubernetes.ts'

const [kubeconfig = '', ttl = '1s', pod = ''] = process.argv.slice(2)

const tell = (message: string, fields?: object): void => console.log(JSON.stringify({ message, ...fields }))

const gateway = createGateway({
  mode: 'enforce',
  resources: [kubernetes({ kubeconfig })],
  rules: [
    {
      name: 'Shell',
      steps: [
        { id: 'mark', action: label({ labels: { suspicious: 'true', tier: 'isolated' }, ttl }) },
        { id: 'cut', action: networkpolicy({ ttl }) },
      ],
    },
  ],
  undoing: actions,
  limits: { sweep: 500 },
  env: process.env,
  log: { debug: () => {}, info: tell, warn: tell, error: tell },
})
await gateway.start()
tell('started')
if (pod) {
  const fields = { 'k8s.ns.name': 'shop', 'k8s.pod.name': pod }
  const event = {
    rule: 'Shell',
    priority: 'Notice',
    time: new Date().toISOString(),
    output: 'x',
    output_fields: fields,
  }
  const [report] = await (await gateway.emit(event)).done
  tell('answered', { report })
}
process.once('SIGTERM', () => void gateway.stop())
