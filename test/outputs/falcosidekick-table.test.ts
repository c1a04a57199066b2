/** Every output that Falcosidekick has, by the key of its configuration (commit 8807ab7, 71 of them). */
import { describe, expect, it } from 'vitest'
import { builtin } from '../../src/builtin.ts'
import { yarak } from '../cli/_kit.ts'

const KEYS = `
slack rocketchat mattermost teams webex discord googlechat cliq telegram
alertmanager opsgenie pagerduty grafanaoncall
elasticsearch quickwit loki sumologic datadoglogs splunk syslog zincsearch openobserve logstash dynatrace grafana
aws.cloudwatchlogs otlp.logs aws.s3 gcp.storage yandex.s3
nats stan aws.sqs aws.sns aws.kinesis azure.eventhub gcp.pubsub kafka kafkarest rabbitmq mqtt yandex.datastreams
aws.lambda gcp.cloudfunctions gcp.cloudrun kubeless openfaas fission cloudevents
redis timescaledb datadog influxdb statsd dogstatsd wavefront prometheus otlp.metrics otlp.traces
aws.securitylake gcp.chronicle spyderbat tekton n8n nodered smtp webhook webui policyreport talon gotify
`
  .trim()
  .split(/\s+/)

/** Those that are no output here, and what is instead. */
const INSTEAD: Readonly<Record<string, RegExp>> = {
  /** Metrics are scraped from `/metrics` of every gateway; with `metrics.compat` under Falcosidekick's names too. */
  prometheus: /^$/,
  /** NATS Streaming has ended; JetStream is what is left of it. */
  stan: /NATS Streaming[^.]*(ended|retired|archived)/i,
}

describe('the outputs of Falcosidekick', () => {
  it('are as many as it says', () => {
    expect(new Set(KEYS).size).toBe(71)
  })

  it('are all listed, or named as retired', async () => {
    const { out } = await yarak(['list', 'outputs', '--json'])
    const listed = (JSON.parse(out) as { type: string }[]).map(({ type }) => type)
    expect(KEYS.filter((key) => !listed.includes(key)).sort()).toEqual(Object.keys(INSTEAD).sort())
  })

  it('that are retired say where to go', () => {
    const nats = builtin.outputs.find(({ type }) => type === 'nats')
    expect(nats?.notes).toMatch(INSTEAD['stan'] ?? /^$/)
    expect(nats?.notes).toContain('JetStream')
  })

  it('say in their notes how they differ', () => {
    const silent = builtin.outputs
      .filter(({ type, notes = '' }) => KEYS.includes(type) && !/Falcosidekick/.test(notes))
      .map(({ type }) => type)
    expect(silent).toEqual([])
  })
})
