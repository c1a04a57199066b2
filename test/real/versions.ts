/** Every version of every real part, in one place. */
export const versions = {
  /** Apache Kafka, the newest line. */
  kafka: '4.4.0',
  /** Apache Kafka, the newest of the line before. */
  kafka3: '3.9.2',
  /** What Kafka logs through: not among the dependencies that its artifact declares. */
  kafkaLog4j: '2.25.5',
  kafka3Reload4j: '1.7.36',
  mavenDependencyPlugin: '3.8.1',
  /** kube-apiserver, kube-controller-manager and kube-scheduler. */
  kubernetes: '1.37.2',
  /** The version that this Kubernetes is built and tested with. */
  etcd: '3.7.0',
  kwok: '0.8.0',
  helm: '4.3.1',
  helm3: '3.22.0',
  /** A Helm 3 that is still in wide use, from before charts could lean on newer functions. */
  helm3Old: '3.14.4',
  /** Jaeger 2 as users know it, and the version of its Go module that was released with it. */
  jaeger: '2.13.0',
  jaegerModule: '1.76.0',
  alertmanager: '0.31.1',
  /** The npm package, pinned by package.json too. */
  smtpServer: '3.21.6',
  loki: '3.7.8',
  /** Tempo 2 between 2.1 and 2.2: its releases are no versions of its Go module, but this commit is one. */
  tempo: '2.1',
  tempoModule: '1.5.1-0.20230524121406-1dc1bfe7085b',
  versitygw: '1.8.0',
  /** Debian's versions without their revision, which changes with every security fix. */
  redis: '5:7.0.15',
  nats: '2.9.10',
  rabbitmq: '3.10.8',
  mosquitto: '2.0.11',
  postgres: '15',
  prometheus: '2.42.0',
  rsyslog: '8.2302.0',
} as const
