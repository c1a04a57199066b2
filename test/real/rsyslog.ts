/** rsyslog, which writes what it gets over TCP and UDP to a file, one message a line. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { aptPart } from './apt.ts'
import { converse } from './launch.ts'
import { freePort } from './part.ts'
import { versions } from './versions.ts'

export interface RsyslogAddresses {
  readonly host: string
  readonly tcpPort: number
  readonly udpPort: number
  readonly file: string
  /** The messages so far, as rsyslog understood them. */
  messages(): SyslogMessage[]
}

export interface SyslogMessage {
  readonly facility: string
  readonly severity: string
  readonly host: string
  readonly program: string
  readonly text: string
}

const host = '127.0.0.1'

export const rsyslog = aptPart<RsyslogAddresses>({
  name: 'rsyslog',
  version: versions.rsyslog,
  packages: ['rsyslog'],
  async begin(files, run) {
    const [tcpPort, udpPort] = await Promise.all([freePort(), freePort()])
    const file = join(run.dir, 'messages.jsonl')
    const env = files.env()
    const modules = join(env.LD_LIBRARY_PATH?.split(':').at(0) ?? '', 'rsyslog')
    const config = run.file('rsyslog.conf', configuration(run.dir, file, tcpPort, udpPort))
    const flags = ['-n', '-i', join(run.dir, 'pid'), '-f', config, '-M', modules]
    run.spawn(files.path('usr/sbin/rsyslogd'), flags, { env })
    await run.ready(() => listens(tcpPort))
    return { host, tcpPort, udpPort, file, messages: () => read(file) }
  },
})

/** rsyslog answers nothing, but it closes the connection when the client has said all: then it has begun to listen. */
const listens = async (port: number): Promise<true> => {
  await converse(port, '', () => false)
  return true
}

const read = (file: string): SyslogMessage[] => {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  return whole
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as SyslogMessage)
}

const configuration = (dir: string, file: string, tcpPort: number, udpPort: number): string => `
global(workDirectory="${dir}" maxMessageSize="64k")
module(load="imtcp")
module(load="imudp")
template(name="json" type="list" option.jsonf="on") {
  property(outname="facility" name="syslogfacility-text" format="jsonf")
  property(outname="severity" name="syslogseverity-text" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="program" name="programname" format="jsonf")
  property(outname="text" name="msg" format="jsonf")
}
ruleset(name="store") {
  action(type="omfile" file="${file}" template="json")
}
input(type="imtcp" address="${host}" port="${tcpPort}" ruleset="store")
input(type="imudp" address="${host}" port="${udpPort}" ruleset="store")
`
