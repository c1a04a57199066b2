/**
 * Records what Falcosidekick sends for the twelve events, into test/fixtures/falcosidekick: once for a version of it, by
 * hand. The program is that of an installed release.
 *
 *     YARAK_BENCH_FALCOSIDEKICK=/path/to/falcosidekick node test/peers/record.ts <commit> [section ...]
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { authority } from '../real/certificates.ts'
import { falcosidekick } from '../real/peers.ts'
import { smtp } from '../real/smtp.ts'
import { openBrokers } from './brokers.ts'
import { EVENTS } from './events.ts'
import { runs, type Section, type SinkAddresses } from './sections.ts'
import { type Heard, openSink, type Sent } from './sink.ts'

const FIXTURES = new URL('../fixtures/falcosidekick/', import.meta.url)

/** Every event gets a random one from Falcosidekick. */
const UUID = '00000000-0000-4000-8000-000000000000'
const RANDOM = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g

/** Milliseconds of silence after which an event is taken to be told everywhere; some outputs gather for a second. */
const quietOf = (run: object): number => ('otlp.logs' in run || 'wavefront' in run || 'kafka' in run ? 1_500 : 400)

const constant = ({ section: _, ...sent }: Heard): Sent => ({
  ...sent,
  path: sent.path.replaceAll(RANDOM, UUID),
  headers: Object.fromEntries(
    Object.entries(sent.headers).map(([name, value]) => [name, value.replaceAll(RANDOM, UUID)]),
  ),
  body: sent.body.replaceAll(RANDOM, UUID),
})

const nest = (path: string, value: unknown): Record<string, unknown> => {
  const [first = '', ...rest] = path.split('.')
  return { [first]: rest.length > 0 ? nest(rest.join('.'), value) : value }
}

const merged = (sections: readonly Section[]): Record<string, unknown> => {
  const all: Record<string, unknown> = {}
  for (const { path, config } of sections) {
    for (const [name, value] of Object.entries(nest(path, config))) {
      all[name] = { ...(all[name] as object | undefined), ...(value as object) }
    }
  }
  return all
}

const [version = 'unknown', ...only] = process.argv.slice(2)
const isAsked = (run: object): boolean => only.length === 0 || only.some((section) => section in run)
const dir = mkdtempSync(join(tmpdir(), 'yarak-record-'))
const ca = await authority(dir)
const mail = await smtp.start()
const named = Object.assign({}, ...runs({ http: 'http://sink', tcp: () => 1, udp: () => 1, smtp: 1 })) as Record<
  string,
  Section
>
const hosts = Object.fromEntries(
  Object.entries(named).flatMap(([name, { host }]) => (host ? [[host.replace(/:80$/, ''), name]] : [])),
)
const keys = await ca.issue('sink', {
  name: 'sink',
  hosts: Object.keys(hosts).map((host) => `DNS:${host.split(':')[0]}`),
})
const sink = await openSink(
  keys,
  hosts,
  Object.keys(named).filter((name) => /^(syslog|logstash|statsd|dogstatsd)/.test(name)),
)
const brokers = await openBrokers()
const addresses: SinkAddresses = { http: sink.url, tcp: sink.tcp, udp: sink.udp, smtp: mail.addresses.port }

const quiet = async (milliseconds: number): Promise<void> => {
  const count = (): number => sink.heard.length + brokers.heard.length + mail.addresses.mails().length
  for (let seen = -1; seen !== count();) {
    seen = count()
    await sleep(milliseconds)
  }
}

mkdirSync(FIXTURES, { recursive: true })
writeFileSync(new URL('events.json', FIXTURES), `${JSON.stringify(EVENTS, null, 2)}\n`)
const env = { OTEL_METRIC_EXPORT_INTERVAL: '500', SSL_CERT_FILE: ca.cert, HTTP_PROXY: sink.url, HTTPS_PROXY: sink.url }
try {
  for (const run of [...runs(addresses), brokers.sections].filter(isAsked)) {
    const peer = await falcosidekick.start({ config: merged(Object.values(run)), env })
    const recorded: Record<string, Record<string, Sent[]>> = {}
    sink.take()
    let mails = mail.addresses.mails().length
    for (const [name, event] of Object.entries(EVENTS)) {
      await fetch(peer.addresses.url, { method: 'POST', body: event })
      // it exports all the time: the last export has the event
      if ('otlp.metrics' in run) await sleep(1_200)
      else await quiet(quietOf(run))
      const sent = [...sink.take(), ...(await brokers.take())]
      for (const { source } of mail.addresses.mails().slice(mails))
        sent.push({ section: 'smtp', method: 'smtp', path: '', headers: {}, body: source })
      mails = mail.addresses.mails().length
      for (const section of Object.keys(run)) {
        const own = sent.filter((one) => one.section === section).map(constant)
        ;(recorded[section] ??= {})[name] = section === 'otlp.metrics' ? own.slice(-1) : own
      }
    }
    await peer.stop()
    for (const [section, { path, config }] of Object.entries(run)) {
      const text = JSON.stringify({ version, section: path, config, sent: recorded[section] }, null, 2)
        .replaceAll(sink.url, 'http://sink')
        .replaceAll(brokers.kubeconfig, '/etc/kubernetes/admin.conf')
      writeFileSync(new URL(`${section}.json`, FIXTURES), `${text}\n`)
      const counts = Object.values(recorded[section] ?? {}).map((all) => all.length)
      process.stdout.write(`${section}: ${counts.join(' ')}\n`)
    }
  }
} finally {
  sink.close()
  await Promise.all([brokers.close(), mail.stop()])
  rmSync(dir, { recursive: true })
}
