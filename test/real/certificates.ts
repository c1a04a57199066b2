/** Certificates for one run of a part, made with openssl: an authority and what it signs. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './tools.ts'

export interface KeyPair {
  /** File with the certificate, PEM. */
  readonly cert: string
  /** File with the private key, PKCS #8 PEM. */
  readonly key: string
}

export interface Subject {
  /** Common name: the user for a Kubernetes client, the principal for Kafka. */
  readonly name: string
  /** Organisation: the group for a Kubernetes client. */
  readonly group?: string
  /** DNS names and addresses of a server, as openssl writes them: `DNS:localhost`, `IP:127.0.0.1`. */
  readonly hosts?: readonly string[]
}

export interface Authority extends KeyPair {
  /** Signs a certificate that serves as a server's and as a client's, and gives its files. */
  issue(file: string, subject: Subject): Promise<KeyPair>
}

/** Names under which a server on this machine is reached. */
export const loopback = ['IP:127.0.0.1', 'DNS:localhost'] as const

const days = ['-days', '2']
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

const extensions = ({ hosts }: Subject): string =>
  ['basicConstraints=CA:FALSE', 'keyUsage=digitalSignature', 'extendedKeyUsage=serverAuth,clientAuth']
    .concat(hosts ? `subjectAltName=${hosts.join(',')}` : [])
    .join('\n')

/** Makes a new authority in `dir`; a run's certificates are worth nothing to the next run. */
export const authority = async (dir: string, name = 'yarak-test-ca'): Promise<Authority> => {
  const ca = { cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) }
  const usage = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign']
  await run('openssl', [
    ...['req', '-x509', ...newKey, ...days, '-subj', `/CN=${name}`, ...usage],
    ...['-keyout', ca.key, '-out', ca.cert],
  ])
  return {
    ...ca,
    async issue(file, subject) {
      const pair = { cert: join(dir, `${file}.crt`), key: join(dir, `${file}.key`) }
      const [request, config] = [join(dir, `${file}.csr`), join(dir, `${file}.ext`)]
      const organisation = subject.group === undefined ? '' : `/O=${subject.group}`
      writeFileSync(config, extensions(subject))
      await run('openssl', [
        ...['req', '-new', ...newKey, '-subj', `${organisation}/CN=${subject.name}`],
        ...['-keyout', pair.key, '-out', request],
      ])
      await run('openssl', [
        ...['x509', '-req', '-in', request, '-CA', ca.cert, '-CAkey', ca.key, '-extfile', config, ...days],
        ...['-out', pair.cert],
      ])
      return pair
    },
  }
}
