/** Prometheus, which takes remote writes, scrapes what it is told to and evaluates rules. */
import { aptPart } from './apt.ts'
import { answers } from './launch.ts'
import { freePort } from './part.ts'
import { versions } from './versions.ts'

export interface PrometheusOptions {
  /** `host:port` of what is scraped every second, at `/metrics`. */
  readonly targets?: readonly string[]
  /** A file of rules, as YAML. */
  readonly rules?: string
  /** `host:port` of an Alertmanager that gets the alerts. */
  readonly alertmanager?: string
}

export interface PrometheusAddresses {
  /** Base of the API: `/api/v1/query`, `/api/v1/write`. */
  readonly url: string
  /** Path of the checker for rules and configuration. */
  readonly promtool: string
}

export const prometheus = aptPart<PrometheusAddresses, PrometheusOptions>({
  name: 'prometheus',
  version: versions.prometheus,
  packages: ['prometheus'],
  async begin(files, run, options) {
    const address = `127.0.0.1:${await freePort()}`
    const rules = options.rules === undefined ? [] : [run.file('rules.yaml', options.rules)]
    const config = run.file('prometheus.json', JSON.stringify(configuration(options, rules)))
    run.spawn(files.path('usr/bin/prometheus'), [
      `--config.file=${config}`,
      `--storage.tsdb.path=${run.dir}/data`,
      `--web.listen-address=${address}`,
      '--web.enable-remote-write-receiver',
      '--web.enable-lifecycle',
      '--enable-feature=exemplar-storage',
    ])
    const url = `http://${address}`
    await run.ready(answers(`${url}/-/ready`))
    return { url, promtool: files.path('usr/bin/promtool') }
  },
})

/** YAML is a superset of JSON, so the configuration is written as that. */
const configuration = ({ targets = [], alertmanager }: PrometheusOptions, rules: readonly string[]) => ({
  global: { scrape_interval: '1s', evaluation_interval: '1s' },
  rule_files: rules,
  scrape_configs: [{ job_name: 'yarak', static_configs: [{ targets }] }],
  alerting: { alertmanagers: alertmanager ? [{ static_configs: [{ targets: [alertmanager] }] }] : [] },
})
