/** The outputs that Yarak brings along. A new one is a file in this folder and a line here. */
import { alertmanager } from './alertmanager.ts'
import { awsCloudwatchlogs } from './aws-cloudwatchlogs.ts'
import { awsKinesis } from './aws-kinesis.ts'
import { awsLambda } from './aws-lambda.ts'
import { awsS3 } from './aws-s3.ts'
import { awsSecuritylake } from './aws-securitylake.ts'
import { awsSns } from './aws-sns.ts'
import { awsSqs } from './aws-sqs.ts'
import { azureBlob } from './azure-blob.ts'
import { azureEventhub } from './azure-eventhub.ts'
import { cliq } from './cliq.ts'
import { cloudevents } from './cloudevents.ts'
import { datadog } from './datadog.ts'
import { datadoglogs } from './datadoglogs.ts'
import { discord } from './discord.ts'
import { dogstatsd } from './dogstatsd.ts'
import { dynatrace } from './dynatrace.ts'
import { elasticsearch } from './elasticsearch.ts'
import { file } from './file.ts'
import { fission } from './fission.ts'
import { gcpChronicle } from './gcp-chronicle.ts'
import { gcpCloudfunctions } from './gcp-cloudfunctions.ts'
import { gcpCloudrun } from './gcp-cloudrun.ts'
import { gcpPubsub } from './gcp-pubsub.ts'
import { gcpStorage } from './gcp-storage.ts'
import { googlechat } from './googlechat.ts'
import { gotify } from './gotify.ts'
import { grafana } from './grafana.ts'
import { grafanaoncall } from './grafanaoncall.ts'
import { influxdb } from './influxdb.ts'
import { k8sevents } from './k8sevents.ts'
import { kafka } from './kafka.ts'
import { kafkarest } from './kafkarest.ts'
import { kubeless } from './kubeless.ts'
import { logstash } from './logstash.ts'
import { loki } from './loki.ts'
import { mattermost } from './mattermost.ts'
import { minio } from './minio.ts'
import { mqtt } from './mqtt.ts'
import { n8n } from './n8n.ts'
import { nats } from './nats.ts'
import { nodered } from './nodered.ts'
import { openfaas } from './openfaas.ts'
import { openobserve } from './openobserve.ts'
import { opensearch } from './opensearch.ts'
import { opsgenie } from './opsgenie.ts'
import { otlpLogs } from './otlp-logs.ts'
import { otlpMetrics } from './otlp-metrics.ts'
import { otlpTraces } from './otlp-traces.ts'
import { pagerduty } from './pagerduty.ts'
import { policyreport } from './policyreport.ts'
import { quickwit } from './quickwit.ts'
import { rabbitmq } from './rabbitmq.ts'
import { redis } from './redis.ts'
import { rocketchat } from './rocketchat.ts'
import { slack } from './slack.ts'
import { smtp } from './smtp.ts'
import { splunk } from './splunk.ts'
import { spyderbat } from './spyderbat.ts'
import { statsd } from './statsd.ts'
import { stdout } from './stdout.ts'
import { sumologic } from './sumologic.ts'
import { syslog } from './syslog.ts'
import { talon } from './talon.ts'
import { teams } from './teams.ts'
import { tekton } from './tekton.ts'
import { telegram } from './telegram.ts'
import { timescaledb } from './timescaledb.ts'
import { wavefront } from './wavefront.ts'
import { webex } from './webex.ts'
import { webhook } from './webhook.ts'
import { webui } from './webui.ts'
import { yandexDatastreams } from './yandex-datastreams.ts'
import { yandexS3 } from './yandex-s3.ts'
import { zincsearch } from './zincsearch.ts'

export const outputs = [
  alertmanager,
  awsCloudwatchlogs,
  awsKinesis,
  awsLambda,
  awsS3,
  awsSecuritylake,
  awsSns,
  awsSqs,
  azureBlob,
  azureEventhub,
  cliq,
  cloudevents,
  datadog,
  datadoglogs,
  discord,
  dogstatsd,
  dynatrace,
  elasticsearch,
  file,
  fission,
  gcpChronicle,
  gcpCloudfunctions,
  gcpCloudrun,
  gcpPubsub,
  gcpStorage,
  googlechat,
  gotify,
  grafana,
  grafanaoncall,
  influxdb,
  k8sevents,
  kafka,
  kafkarest,
  kubeless,
  logstash,
  loki,
  mattermost,
  minio,
  mqtt,
  n8n,
  nats,
  nodered,
  openfaas,
  openobserve,
  opensearch,
  opsgenie,
  otlpLogs,
  otlpMetrics,
  otlpTraces,
  pagerduty,
  policyreport,
  quickwit,
  rabbitmq,
  redis,
  rocketchat,
  slack,
  smtp,
  splunk,
  spyderbat,
  statsd,
  stdout,
  sumologic,
  syslog,
  talon,
  teams,
  tekton,
  telegram,
  timescaledb,
  wavefront,
  webex,
  webhook,
  webui,
  yandexDatastreams,
  yandexS3,
  zincsearch,
]
