/** The image and the laptop's compose file, read: they cannot be built everywhere, but be wrong anywhere. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { builtin } from '../src/builtin.ts'
import { loadConfig } from '../src/config/index.ts'
import { VERSION } from '../src/version.ts'
import { allOf, commandOf, copied, lastOf, sentBy, stagesIn, valuesOf } from './_dockerfile.ts'
import { versions } from './real/versions.ts'

const root = resolve(import.meta.dirname, '..')
const read = (name: string): string => readFileSync(join(root, name), 'utf8')

const text = read('Dockerfile')
const stages = stagesIn(text)
const [build, image] = stages as [(typeof stages)[0], (typeof stages)[0]]
const manifest = JSON.parse(read('package.json')) as {
  scripts: Record<string, string>
  files: string[]
  bin: { yarak: string }
  devDependencies: { node: string }
}

describe('Dockerfile', () => {
  it('builds in one stage, and runs in another that has no more than it needs', () => {
    expect(stages.map(({ name }) => name)).toEqual(['build', ''])
    expect(build.base).toBe(`node:${manifest.devDependencies.node}-slim`)
    expect(image.base).toMatch(/^gcr\.io\/distroless\/nodejs24-debian\d+:nonroot$/)
    expect(text).toContain(`--build-arg RUNTIME=${build.base}`)
  })

  it('runs what the test in a clean folder runs, and nothing that a network or a clock decides', () => {
    expect(allOf(build, 'RUN').map((one) => one.text)).toEqual([
      'npm ci',
      'npm run build',
      'npm prune --omit=dev',
      'mkdir data',
    ])
    expect(allOf(image, 'RUN')).toEqual([])
    expect(stages.flatMap((stage) => allOf(stage, 'ADD'))).toEqual([])
  })

  it('copies what there is and what is sent, and of a stage what that one made', () => {
    const sent = sentBy(read('.dockerignore'))
    const made = new Set(['/app/node_modules', '/app/dist', '/app/data'])
    for (const copy of stages.flatMap((stage) => allOf(stage, 'COPY')))
      for (const from of copied(copy).from) {
        if (copy.flags['from'] === undefined) expect(existsSync(join(root, from)) && sent, from).toContain(from)
        else expect([copy.flags['from'], made.has(from)]).toEqual(['build', true])
      }
    for (const name of sent) expect(existsSync(join(root, name)), name).toBe(true)
  })

  it('sends all that the build reads', () => {
    const { include } = JSON.parse(read('tsconfig.build.json')) as { include: string[] }
    const taken = allOf(build, 'COPY').flatMap((copy) => copied(copy).from)
    expect(taken).toEqual(expect.arrayContaining([...include, 'tsconfig.json', 'tsconfig.build.json']))
  })

  it('is what the chart counts on: user, folder, command, paths, node on the PATH', () => {
    expect(lastOf(image, 'USER').text).toBe('65532:65532')
    expect(lastOf(image, 'WORKDIR').text).toBe('/app')
    expect(commandOf(image)).toEqual(['node', `/app/${manifest.bin.yarak}`, 'run', '--config', '/etc/yarak/yarak.yaml'])
    expect(lastOf(image, 'EXPOSE').text).toBe('2801')
    expect(valuesOf(image, 'ENV')['PATH']?.split(':')).toEqual(
      expect.arrayContaining(['/nodejs/bin', '/usr/local/bin']),
    )
    const data = allOf(image, 'COPY').find(({ flags }) => flags['chown'])
    expect(data).toMatchObject({ flags: { chown: '65532:65532' }, text: '/app/data /var/lib/yarak' })
    const places = allOf(image, 'COPY').map((copy) => copied(copy).to)
    expect(places).toEqual(['./', 'config', 'node_modules', 'dist', '/var/lib/yarak'])
  })

  it('needs no shell', () => {
    for (const name of ['ENTRYPOINT', 'CMD']) expect(lastOf(image, name).list, name).toBeDefined()
    expect(lastOf(image, 'HEALTHCHECK').text).toMatch(/^CMD \["node", "-e", /)
  })

  it('says what it is', () => {
    expect(valuesOf(image, 'ARG')['VERSION']).toBe(VERSION)
    const labels = valuesOf(image, 'LABEL')
    expect(labels).toMatchObject({
      'org.opencontainers.image.title': 'Yarak',
      'org.opencontainers.image.licenses': 'Apache-2.0',
      'org.opencontainers.image.version': '${VERSION}',
      'org.opencontainers.image.revision': '${REVISION}',
    })
  })

  it('is pushed where the chart gets it', () => {
    const { appVersion } = parse(read('charts/yarak/Chart.yaml')) as { appVersion: string }
    const { image: where } = parse(read('charts/yarak/values.yaml')) as { image: { repository: string } }
    const readme = read('charts/yarak/README.md')
    const [, registry = ''] = /--set image\.registry=(\S+)/.exec(readme) ?? []
    const name = `${registry}/${where.repository}:${appVersion}`
    expect(readme).toContain(`docker build --tag ${name} .\ndocker push ${name}\n`)
    expect(text).toContain(`name=${registry}/${where.repository},`)
  })

  it('tells how to build it reproducibly, with a bill of materials', () => {
    for (const said of ['SOURCE_DATE_EPOCH=', 'rewrite-timestamp=true', '--sbom=true', 'npm sbom', '@sha256:'])
      expect(text).toContain(said)
  })
})

interface Service {
  readonly image?: string
  readonly build?: string
  readonly profiles?: readonly string[]
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string | number>>
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly depends_on?: Readonly<Record<string, object>> | readonly string[]
}

describe('compose.yaml', () => {
  const source = read('compose.yaml')
  const { services, volumes } = parse(source) as { services: Record<string, Service>; volumes: object }
  const yarak = services['yarak'] ?? {}
  const laptop = read('config/laptop.yaml')

  it('has what it says, Falco only when asked for', () => {
    expect(Object.keys(services)).toEqual(['yarak', 'kafka', 'jaeger', 'falco'])
    expect(Object.entries(services).flatMap(([name, { profiles }]) => (profiles ? [name] : []))).toEqual(['falco'])
    for (const { depends_on: needs = {} } of Object.values(services))
      for (const name of Array.isArray(needs) ? needs : Object.keys(needs))
        expect(services).toHaveProperty([name as string])
    expect(services['falco']?.command).toContain('json_output=true')
    expect(services['falco']?.command).toContain('http_output.url=http://yarak:2801/')
  })

  it('uses the versions that are tested', () => {
    expect(services['kafka']?.image).toBe(`apache/kafka:${versions.kafka}`)
    expect(services['jaeger']?.image).toBe(`jaegertracing/jaeger:${versions.jaeger}`)
    expect(Object.values(services).flatMap((one) => one.image ?? [])).not.toContainEqual(
      expect.stringMatching(/:latest$/),
    )
  })

  it('opens ports of this machine only', () => {
    const ports = Object.values(services).flatMap((one) => one.ports ?? [])
    expect(ports).toEqual(['127.0.0.1:2801:2801', '127.0.0.1:9092:9092', '127.0.0.1:16686:16686'])
  })

  it('runs the image as the chart does: restricted, its data on a volume, its configuration where CMD looks', () => {
    expect(yarak).toMatchObject({
      build: '.',
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    })
    expect(yarak.command).toBeUndefined()
    expect(yarak.volumes).toEqual([
      `./config/laptop.yaml:${lastOf(image, 'CMD').list?.at(-1)}:ro`,
      'yarak:/var/lib/yarak',
    ])
    expect(Object.keys(volumes)).toEqual(['yarak'])
  })

  it('is configured by a file without mistakes that names these places', () => {
    const { options, problems } = loadConfig({ file: 'laptop.yaml', text: laptop, env: {}, plugins: builtin })
    expect(problems).toEqual([])
    expect(options).toMatchObject({ listen: [{ host: '0.0.0.0', port: 2801 }], dataDir: '/var/lib/yarak' })
    const kafka = services['kafka']?.environment ?? {}
    const { inputs } = parse(laptop) as { inputs: { kafka: { brokers: string[]; topics: string[] } } }
    expect(kafka['KAFKA_ADVERTISED_LISTENERS']).toBe(`INSIDE://${inputs.kafka.brokers[0]},OUTSIDE://localhost:9092`)
    expect(source).toContain(`--topic ${inputs.kafka.topics[0]} < config/demo/events.jsonl`)
    expect(services['kafka']?.healthcheck?.test.slice(-2)).toEqual(['--topic', inputs.kafka.topics[0]])
    expect(yarak.environment?.['OTEL_EXPORTER_OTLP_ENDPOINT']).toBe('http://jaeger:4318')
    expect(laptop).toContain('traceUrl: http://localhost:16686/trace/{traceId}')
  })

  it('leaves what runs the time that the configuration gives it', () => {
    expect(laptop).toContain('stopTimeout: 20s')
    expect(yarak).toMatchObject({ stop_grace_period: '30s' })
  })

  it('sets of Kafka what its settings are called', () => {
    const names = Object.keys(services['kafka']?.environment ?? {}).map((name) =>
      name
        .replace(/^KAFKA_/, '')
        .toLowerCase()
        .replaceAll('_', '.'),
    )
    const settings = read('test/real/kafka/properties.ts')
    const others = names.filter((name) => !settings.includes(`'${name}'`) && !settings.includes(`${name}:`))
    expect(others).toEqual(['num.partitions'])
  })
})
