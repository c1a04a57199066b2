/** `kill -9` in the middle of a chain, of the real program on a real cluster: it goes on, and does nothing twice. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { alert } from '../kit.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { freePort, until } from './part.ts'
import { describePart } from './vitest.ts'

const MAIN = resolve(import.meta.dirname, '../../src/main.ts')
const namespace = 'shop'

describePart(kubernetes, () => {
  let running: RunningKubernetes
  let cluster: RunningKubernetes['cluster']
  let folder = ''
  let port = 0
  let counting: { readonly server: Server; readonly seen: string[]; readonly url: string }
  let child: ChildProcess | undefined

  beforeAll(async () => {
    running = await kubernetes.start({ crds: false })
    cluster = running.cluster
    await cluster.namespace(namespace)
    folder = mkdtempSync(join(tmpdir(), 'yarak-resume-'))
    port = await freePort()
    counting = await countingServer()
  }, 120_000)
  afterAll(async () => {
    child?.kill('SIGKILL')
    counting?.server.close()
    await running?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Remembers the path of every request. */
  const countingServer = async () => {
    const seen: string[] = []
    const server = createServer((request, response) => {
      seen.push(request.url ?? '')
      request.resume().on('end', () => response.end())
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    return { server, seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  }

  const configure = (): string => {
    const path = join(folder, 'yarak.yaml')
    const rule = {
      rule: 'Contain',
      match: { rules: ['Terminal shell in container'] },
      join: '0s',
      steps: [
        { action: 'http:request', id: 'before', with: { url: `${counting.url}/before` } },
        { action: 'kubernetes:label', id: 'mark', with: { labels: { suspicious: 'true' }, ttl: '20s' } },
        { wait: '6s', id: 'calm' },
        { action: 'http:request', id: 'after', with: { url: `${counting.url}/after` } },
        {
          action: 'kubernetes:annotation',
          id: 'note',
          with: { annotations: { 'example.com/marked': '{{ steps.mark.outcome }}' } },
        },
      ],
      finally: [{ action: 'http:request', id: 'last', with: { url: `${counting.url}/last` } }],
    }
    const config = {
      version: 1,
      mode: 'enforce',
      listen: `127.0.0.1:${port}`,
      dataDir: join(folder, 'data'),
      inputs: { http: {} },
      resources: { kubernetes: { kubeconfig: running.addresses.kubeconfig } },
      rules: [rule],
    }
    writeFileSync(path, JSON.stringify(config))
    return path
  }

  const start = async (config: string): Promise<void> => {
    child = spawn(process.execPath, [MAIN, 'run', '--config', config], { stdio: 'ignore' })
    await until('the gateway', async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok || undefined, 60_000)
  }

  const kill = async (): Promise<void> => {
    const ended = new Promise((done) => child?.once('exit', done))
    child?.kill('SIGKILL')
    await ended
  }

  const metadata = async () => (await cluster.core.readNamespacedPod({ namespace, name: 'web-1' })).metadata

  it('goes on after the pause that it was killed in, repeats no step, and its ttl still fires', async () => {
    await cluster.pod('web-1', { namespace })
    const config = configure()
    await start(config)
    const sent = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: JSON.stringify(alert()) })
    expect(sent.status).toBeLessThan(300)
    const marked = await until('the label', async () => {
      const found = await metadata()
      return found?.labels?.['suspicious'] === 'true' ? found : undefined
    })
    expect(counting.seen).toEqual(['/before'])
    await kill()
    await start(config)
    await until('the annotation', async () => (await metadata())?.annotations?.['example.com/marked'], 60_000)
    expect((await metadata())?.annotations?.['example.com/marked']).toBe('succeeded')
    await until('the last step', () => Promise.resolve(counting.seen.includes('/last') || undefined))
    expect(counting.seen).toEqual(['/before', '/after', '/last'])
    const labels = (await metadata())?.labels
    expect(labels?.['yarak.dev/response']).toBe(marked.labels?.['yarak.dev/response'])
    await until('the label to go', async () => !(await metadata())?.labels?.['suspicious'] || undefined, 120_000)
  }, 240_000)
})
