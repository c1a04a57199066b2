/** Kafka's jars: a pom that asks for the broker, and Maven that brings what the broker needs. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDir } from '../part.ts'
import { once, run, type Say } from '../tools.ts'
import { versions } from '../versions.ts'

const isOld = (version: string): boolean => version.startsWith('3.')

/** The folder with one version's jars and its logging configuration. */
export const jarsDir = (version: string): string => join(cacheDir(), `kafka-${version}`)

interface Artifact {
  readonly group: string
  readonly name: string
  readonly version: string
}

/** Kafka 3 logs through reload4j, Kafka 4 through Log4j 2; neither is a dependency of the published artifact. */
const artifacts = (version: string): readonly Artifact[] => [
  { group: 'org.apache.kafka', name: 'kafka_2.13', version },
  isOld(version)
    ? { group: 'org.slf4j', name: 'slf4j-reload4j', version: versions.kafka3Reload4j }
    : { group: 'org.apache.logging.log4j', name: 'log4j-slf4j-impl', version: versions.kafkaLog4j },
]

const pom = (version: string): string => `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>yarak.test</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
${artifacts(version)
  .map(
    (wanted) =>
      `    <dependency><groupId>${wanted.group}</groupId><artifactId>${wanted.name}</artifactId>` +
      `<version>${wanted.version}</version></dependency>\n`,
  )
  .join('')}  </dependencies>
</project>
`

const reload4j = `log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %p %m (%c)%n
`

const log4j = `rootLogger.level=info
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %m (%c)%n%ex
`

/** JVM options that send Kafka's log to its standard output. */
export const logging = (version: string): readonly string[] => {
  const file = join(jarsDir(version), 'logging.properties')
  return isOld(version) ? [`-Dlog4j.configuration=file:${file}`] : [`-Dlog4j2.configurationFile=${file}`]
}

/** Gets one version's jars unless they are in the cache. */
export const ensureJars = (version: string, say: Say): Promise<void> =>
  once(jarsDir(version), async (dir) => {
    say(`kafka: getting the jars of Apache Kafka ${version} from Maven Central`)
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, 'pom.xml'), pom(version))
    const plugin = `org.apache.maven.plugins:maven-dependency-plugin:${versions.mavenDependencyPlugin}`
    const args = [`${plugin}:copy-dependencies`, '-DincludeScope=runtime', '-DoutputDirectory=.']
    await run('mvn', ['-B', '-q', ...args], { cwd: dir, nice: true })
    writeFileSync(join(dir, 'logging.properties'), isOld(version) ? reload4j : log4j)
    rmSync(join(dir, 'target'), { recursive: true, force: true })
  })
