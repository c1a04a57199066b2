/** Certificates made on the fly: one that is right, and such as are not. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { authority, loopback } from '../real/certificates.ts'

/** Paths of files, once the tests run. */
export const certificates = () => {
  const dir = mkdtempSync(join(tmpdir(), 'yarak-doctor-pem-'))
  const at = (name: string): string => join(dir, name)
  beforeAll(async () => {
    const ca = await authority(dir, 'ca')
    await ca.issue('soon', { name: 'server', hosts: loopback })
    await ca.issue('nameless', { name: 'server' })
    dated('right', '20200101000000Z', '20990101000000Z', true)
    dated('old', '20200101000000Z', '20210101000000Z', true)
    dated('unnamed', '20200101000000Z', '20990101000000Z', false)
  }, 60_000)
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  /** By way of a whole authority: only that can date a certificate with every openssl. */
  const dated = (name: string, from: string, to: string, named: boolean): void => {
    const own = ['[x]', 'policy=p', 'default_md=sha256', 'unique_subject=no', `database=${at('index')}`]
    const names = named ? ['x509_extensions=e', '[e]', `subjectAltName=${loopback.join(',')}`] : []
    const settings = [
      '[ca]',
      'default_ca=x',
      ...own,
      `serial=${at('serial')}`,
      ...names,
      '[p]',
      'commonName=supplied',
      '',
    ]
    writeFileSync(at('ca.cnf'), settings.join('\n'))
    writeFileSync(at('index'), '')
    writeFileSync(at('serial'), '01\n')
    const signing = ['-config', at('ca.cnf'), '-cert', at('ca.crt'), '-keyfile', at('ca.key'), '-outdir', dir]
    const dates = ['-startdate', from, '-enddate', to]
    const files = ['-in', at('soon.csr'), '-out', at(`${name}.crt`), '-batch', '-notext']
    execFileSync('openssl', ['ca', ...signing, ...dates, ...files], { stdio: 'ignore' })
  }

  return {
    at,
    /** A certificate with the key that fits it. */
    pair: (name: 'soon' | 'right' | 'old' | 'unnamed') => ({ certFile: at(`${name}.crt`), keyFile: at('soon.key') }),
  }
}
