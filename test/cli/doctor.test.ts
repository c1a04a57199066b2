import { chmodSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { answering } from '../doctor/_kit.ts'
import { examined, saidOf } from './_doctor.ts'
import { closedPort, folder, yarak } from './_kit.ts'

const files = folder()

const RULES = [{ rule: 'Ours', match: {}, steps: [{ action: 'log', with: { message: 'x' } }] }]
const config = async (more: object = {}): Promise<string> => {
  const listen = `127.0.0.1:${await closedPort()}`
  const base = {
    version: 1,
    dataDir: files.at('data'),
    listen,
    inputs: { http: {} },
    outputs: { stdout: {} },
    rules: RULES,
  }
  const file = files.write('yarak.yaml', { ...base, ...more })
  chmodSync(file, 0o600)
  return file
}
const FALCO =
  'json_output: true\nrules_files: []\nhttp_output: {enabled: true, url: "http://g:2801/", keep_alive: true}\n'

describe('yarak doctor', () => {
  it('says what it finds, group by group, as it always does', async () => {
    const port = await closedPort()
    const file = await config({
      listen: `127.0.0.1:${port}`,
      inputs: { http: { token: 'a-token-of-ours' }, file: { path: files.at('falco.log') } },
      outputs: { stdout: {}, webhook: { address: 'http://nobody.invalid/' } },
    })
    chmodSync(file, 0o644)
    const falco = files.write('falco.yaml', `buffered_outputs: true\nrules_files: []\nhttp_output: {enabled: false}\n`)
    const { code, out } = await yarak(['doctor', '--config', file, '--falco', falco])
    const stable = out
      .replaceAll(files.at('').replace(/\/$/, ''), 'DIR')
      .replaceAll(String(port), 'PORT')
      .replaceAll(process.versions.node, 'NODE')
      .replaceAll(/\d+ may be open/g, 'N may be open')
      .replaceAll(/[\d.]+ [KMGT]iB are free/g, 'N are free')
      .replaceAll(/(?:ok|warn) {2,4}dataDir: .*\n(?: +remedy: .*\n)?/g, 'dataDir\n')
      .replace(/^\d+ ok, \d+ warnings?/m, 'N ok, N warnings')
    await expect(stable).toMatchFileSnapshot('golden/doctor.txt')
    expect(code).toBe(1)
  })

  it('exits with 0 when nothing fails, and with 1 for a warning when it is to be strict', async () => {
    const file = await config({ listen: '127.0.0.1:0' })
    const falco = files.write('falco.yaml', FALCO)
    const args = ['doctor', '--config', file, '--falco', falco]
    expect((await yarak(args)).code).toBe(0)
    expect((await yarak([...args, '--strict'])).code).toBe(1)
  })

  it('exits with 1 when something fails, here a port that is in use', async () => {
    const listen = (await answering((_, response) => void response.end('somebody else'))).replace('http://', '')
    const file = await config({ listen })
    expect((await yarak(['doctor', '--config', file])).code).toBe(1)
    expect(saidOf(await examined(['--config', file]), 'listeners')).toEqual([
      'fail: cannot listen there: the address is in use by another process',
    ])
  })

  it.each([['--timeout', 'soon'], ['--timeout', '0s'], ['--timeout', '30d'], ['--nothing']])(
    'exits with 2 for %s %s',
    async (...args) => {
      expect((await yarak(['doctor', ...args])).code).toBe(2)
    },
  )

  it('tells programs the same, as JSON', async () => {
    const findings = await examined(['--config', await config(), '--falco', files.write('falco.yaml', FALCO)])
    expect(new Set(findings.map(({ status }) => status))).toContain('ok')
    for (const one of findings)
      expect(
        Object.keys(one).filter((key) => !['group', 'name', 'status', 'message', 'remedy', 'place'].includes(key)),
      ).toEqual([])
    const groups = [...new Set(findings.map(({ group }) => group))]
    expect(groups).toEqual(
      'versions configuration listeners gateway inputs outputs cluster clock telemetry journal falco rules'.split(' '),
    )
  })

  it('goes on as far as it can with a configuration that does not load', async () => {
    const file = await config({ mode: 'on' })
    const findings = await examined(['--config', file, '--falco', files.write('falco.yaml', 'json_output: false\n')])
    expect(saidOf(findings, 'configuration', 'load')).toEqual([
      expect.stringMatching(/^fail: 1 error, the first: mode/),
    ])
    expect(saidOf(findings, 'listeners')).toEqual(['skip: it does not load'])
    expect(saidOf(findings, 'falco', 'json_output')).toEqual([expect.stringMatching(/^fail/)])
  })

  it('says on a terminal that it is at work, and shows colours there', async () => {
    const args = ['doctor', '--config', await config()]
    const seen = await yarak(args, { tty: true, colours: true })
    expect(seen.err).toBe('examining configuration, network and files ...\r\u001b[2K')
    expect(seen.out).toContain('\u001b[32m✓ ok')
    const piped = await yarak(args)
    expect(piped.err).toBe('')
    expect(piped.out).not.toMatch(/\u001b|✓/)
  })

  it('tells outputs of a sample only where it is asked to', async () => {
    const bodies: string[] = []
    const address = await answering((request, response) => {
      request.on('data', (chunk: Buffer) => bodies.push(String(chunk)))
      request.on('end', () => response.writeHead(bodies.length > 1 ? 500 : 200).end())
    })
    const file = await config({ outputs: { webhook: { address } } })
    await examined(['--config', file])
    expect(bodies).toEqual([])
    expect(saidOf(await examined(['--config', file, '--send']), 'outputs', 'webhook sample')).toEqual([
      expect.stringMatching(/^ok: webhook took it after \d+ ms$/),
    ])
    expect(bodies[0]).toContain('Terminal shell in container')
    expect(saidOf(await examined(['--config', file, '--send']), 'outputs', 'webhook sample')).toEqual([
      expect.stringMatching(/^fail: webhook did not take it: .* answered 500/),
    ])
  })

  it('prints no secret, wherever it stands and whoever quotes it', async () => {
    const secrets = ['a-token-of-ours', 'path-that-is-secret', 'from-the-environment', 'header-of-telemetry']
    const file = await config({
      inputs: {
        http: { token: secrets[0], secretPath: secrets[1], basic: { username: 'u', password: '${env:PASSWORD}' } },
      },
      outputs: { slack: { webhookUrl: `http://127.0.0.1:${await closedPort()}/${secrets[1]}` } },
    })
    const text = `json_output: true\nhttp_output: {enabled: true, url: "http://u:${secrets[2]}@g:1/in/${secrets[1]}"}\n`
    const env = {
      PASSWORD: secrets[2] ?? '',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await closedPort()}`,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=${secrets[3]}`,
    }
    const { out } = await yarak(['doctor', '--config', file, '--falco', files.write('falco.yaml', text)], { env })
    for (const secret of secrets) expect(out).not.toContain(secret)
  })

  it('teaches itself', async () => {
    const { code, out } = await yarak(['doctor', '--help'])
    expect(code).toBe(0)
    for (const word of ['--falco', '--send', '--strict', '--timeout', '--url', 'Examples:', 'Exits with 0'])
      expect(out).toContain(word)
  })
})
