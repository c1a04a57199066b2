import * as k8s from '@kubernetes/client-node'
import { existsSync, readFileSync } from 'node:fs'
import { get, type RequestOptions } from 'node:https'
import { join } from 'node:path'
import { PassThrough, Writable, type Readable } from 'node:stream'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { until } from './part.ts'
import { proxyTo } from './proxy.ts'
import { describePart } from './vitest.ts'

const namespace = 'default'

const collect = (into: string[]): Writable =>
  new Writable({
    write(chunk: Buffer, _encoding, done) {
      into.push(chunk.toString())
      done()
    },
  })

/** What tests use of the client's web socket, whose type comes from a package without types. */
interface Socket {
  close(): void
  addEventListener(event: 'close', listener: () => void): void
}

interface Ended {
  readonly out: string
  readonly err: string
  readonly status: k8s.V1Status
}

const run = async (
  config: k8s.KubeConfig,
  pod: string,
  command: string[],
  stdin: Readable | null = null,
): Promise<Ended> => {
  const [out, err]: [string[], string[]] = [[], []]
  const exec = new k8s.Exec(config)
  const status = await new Promise<k8s.V1Status>((done, fail) => {
    exec.exec(namespace, pod, 'main', command, collect(out), collect(err), stdin, false, done).catch(fail)
  })
  return { out: out.join(''), err: err.join(''), status }
}

/**
 * Follows a log by a plain request. The client's own `Log` cannot be stopped: aborting it throws in a stream that it
 * keeps to itself, which ends the process.
 */
const follow = async (config: k8s.KubeConfig, pod: string, into: string[]): Promise<() => void> => {
  const options: RequestOptions = {}
  await config.applyToHTTPSOptions(options)
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/log?follow=true&tailLines=1`
  const request = get(`${config.getCurrentCluster()?.server}${path}`, options, (response) =>
    response.pipe(collect(into)),
  )
  request.on('error', () => request.destroy())
  return () => request.destroy()
}

const exitCode = ({ details }: k8s.V1Status): string | undefined =>
  details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message

describePart(kubernetes, () => {
  let running: RunningKubernetes
  let cluster: RunningKubernetes['cluster']

  beforeAll(async () => {
    running = await kubernetes.start({ crds: false })
    cluster = running.cluster
    await cluster.pod('shell')
  }, 120_000)
  afterAll(() => running?.stop())

  it('executes a command: output, errors and exit code', async () => {
    const good = await run(cluster.config, 'shell', ['sh', '-c', 'echo out; echo err >&2'])
    expect(good).toMatchObject({ out: 'out\n', err: 'err\n', status: { status: 'Success' } })
    const bad = await run(cluster.config, 'shell', ['sh', '-c', 'exit 3'])
    expect(bad.status).toMatchObject({ status: 'Failure', reason: 'NonZeroExitCode' })
    expect(exitCode(bad.status)).toBe('3')
    const killed = await run(cluster.config, 'shell', ['sh', '-c', 'kill -9 $$'])
    expect(exitCode(killed.status)).toBe('137')
  })

  it('executes with a reduced environment, in a folder of its own', async () => {
    process.env.YARAK_TEST_SECRET = 'seen'
    const { out } = await run(cluster.config, 'shell', ['sh', '-c', 'pwd; env'])
    delete process.env.YARAK_TEST_SECRET
    expect(out).toContain(running.addresses.podFolder)
    expect(out).not.toContain('YARAK')
  })

  it('copies a file in, and a folder out', async () => {
    const into = new PassThrough()
    into.end('evidence\n')
    const copied = await run(cluster.config, 'shell', ['sh', '-c', 'cat > copied.txt'], into)
    expect(copied.status.status).toBe('Success')
    expect(readFileSync(join(running.addresses.podFolder, 'copied.txt'), 'utf8')).toBe('evidence\n')
    const { out } = await run(cluster.config, 'shell', ['tar', 'cf', '-', 'copied.txt'])
    expect(out).toContain('evidence')
  })

  it('loses the answer of a command whose socket is cut, and the command runs on', async () => {
    const proxy = await proxyTo(Number(new URL(running.addresses.server).port))
    try {
      const config = new k8s.KubeConfig()
      config.loadFromString(
        readFileSync(running.addresses.kubeconfig, 'utf8').replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${proxy.port}`),
      )
      const [out, statuses]: [string[], k8s.V1Status[]] = [[], []]
      const command = ['sh', '-c', 'echo begun; sleep 2; touch survived']
      const socket: Socket = await new k8s.Exec(config).exec(
        namespace,
        'shell',
        'main',
        command,
        collect(out),
        null,
        null,
        false,
        (status) => statuses.push(status),
      )
      const closed = new Promise<void>((done) => socket.addEventListener('close', done))
      await until('output', async () => out.join('').includes('begun') || undefined)
      proxy.cut()
      await closed
      expect(statuses).toEqual([])
      await until('the command', async () => existsSync(join(running.addresses.podFolder, 'survived')) || undefined)
    } finally {
      await proxy.stop()
    }
  })

  it('reads logs, also of the container before', async () => {
    running.pods.write('first line', 'second line')
    running.pods.writePrevious('from before')
    const read = (previous: boolean, tailLines?: number) =>
      cluster.core.readNamespacedPodLog({ namespace, name: 'shell', previous, ...(tailLines ? { tailLines } : {}) })
    expect(await read(false)).toBe('first line\nsecond line\n')
    expect(await read(false, 1)).toBe('second line\n')
    expect(await read(true)).toBe('from before\n')
  })

  it('follows a log, and attaches', async () => {
    const [log, attached]: [string[], string[]] = [[], []]
    const stop = await follow(cluster.config, 'shell', log)
    const attach = new k8s.Attach(cluster.config)
    const socket: Socket = await attach.attach(namespace, 'shell', 'main', collect(attached), null, null, false)
    await until('the line that is there', async () => log.join('').includes('second line') || undefined)
    await until('a new line', async () => {
      running.pods.write('new line')
      return [log, attached].every((lines) => lines.join('').includes('new line')) || undefined
    })
    stop()
    socket.close()
  })

  it('leaves no process behind when it stops', async () => {
    const other = await kubernetes.start({ crds: false })
    await other.cluster.pod('busy')
    const exec = new k8s.Exec(other.cluster.config)
    const out: string[] = []
    const socket: Socket = await exec.exec(
      namespace,
      'busy',
      'main',
      ['sh', '-c', 'echo $$; sleep 600'],
      collect(out),
      null,
      null,
      false,
    )
    await until('the pid', async () => out.join('').includes('\n') || undefined)
    const pid = Number(out.join(''))
    expect(() => process.kill(pid, 0)).not.toThrow()
    socket.close()
    await other.stop()
    await other.stop()
    await until('the end', async () => !existsSync(`/proc/${pid}`) || undefined)
    expect(existsSync(other.addresses.kubeconfig)).toBe(false)
  })
})
