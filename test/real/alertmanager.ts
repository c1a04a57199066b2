/**
 * Alertmanager, one instance. Debian's package reads its templates from below /usr/share and works only installed; this
 * is the newest release whose module holds the built web page, without which later ones do not compile.
 */
import { goPart } from './go.ts'
import { answers } from './launch.ts'
import { freePort } from './part.ts'
import { versions } from './versions.ts'

export interface AlertmanagerOptions {
  /** Where notifications go, as soon as an alert comes in. */
  readonly webhook?: string
}

export interface AlertmanagerAddresses {
  /** `host:port`, as Prometheus wants it. */
  readonly address: string
  /** Base of the API: `/api/v2/alerts`. */
  readonly url: string
}

export const alertmanager = goPart<AlertmanagerAddresses, AlertmanagerOptions>({
  name: 'alertmanager',
  module: 'github.com/prometheus/alertmanager',
  moduleVersion: versions.alertmanager,
  folder: 'cmd/alertmanager',
  async begin(binary, run, { webhook }) {
    const address = `127.0.0.1:${await freePort()}`
    const config = run.file('alertmanager.json', JSON.stringify(configuration(webhook)))
    run.spawn(binary, [
      `--config.file=${config}`,
      `--storage.path=${run.dir}/data`,
      `--web.listen-address=${address}`,
      '--cluster.listen-address=',
    ])
    const url = `http://${address}`
    await run.ready(answers(`${url}/-/ready`))
    return { address, url }
  },
})

const configuration = (webhook: string | undefined) => ({
  route: { receiver: 'yarak', group_by: ['...'], group_wait: '0s', group_interval: '1s' },
  receivers: [{ name: 'yarak', webhook_configs: webhook ? [{ url: webhook, send_resolved: true }] : [] }],
})
