/** How Falcosidekick calls its outputs in what it tells its own user interface, in the order in which it does (`main.go`). */
const NAMES =
  'StatsD DogStatsD Slack Cliq Rocketchat Mattermost Teams Webex Datadog DatadogLogs Discord AlertManager Elasticsearch ' +
  'Quickwit Loki SumoLogic NATS STAN Influxdb AWSLambda AWSSQS AWSSNS AWSCloudWatchLogs AWSS3 AWSKinesis ' +
  'AWSSecurityLake SMTP Opsgenie Webhook NodeRed CloudEvents EventHub GCPPubSub GCPStorage GCPCloudFunctions ' +
  'GCPChronicle GCPCloudRun GoogleChat Kafka KafkaRest Pagerduty Kubeless WebUI PolicyReport OpenFaaS Tekton RabbitMQ ' +
  'Wavefront Fission Grafana GrafanaOnCall YandexS3 YandexDataStreams Syslog MQTT Zincsearch Gotify Spyderbat ' +
  'TimescaleDB Redis Logstash Telegram n8n OpenObserve Dynatrace OTLPTraces OTLPLogs OTLPMetrics Talon Splunk'

/** @example outputNames(['webui', 'aws.s3']) // ['AWSS3', 'WebUI'] */
export const outputNames = (sections: readonly string[]): string[] => {
  const wanted = sections.map((path) => path.replace('azure.', '').replaceAll('.', ''))
  return NAMES.split(' ').filter((name) => wanted.includes(name.toLowerCase()))
}
