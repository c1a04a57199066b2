import fc from 'fast-check'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ExecOutput, ExecRequest } from '../../src/resources/kubernetes.ts'
import { kubernetes } from '../../src/resources/kubernetes.ts'
import { aPodStep, rejection, withCluster } from '../actions/kubernetes/world.ts'
import type { StepOptions } from '../actions/step.ts'
import { status } from '../fake-cluster.ts'
import { fakeExec, locally, notFound, type Play } from '../fake-exec.ts'

const REQUEST: ExecRequest = { namespace: 'shop', pod: 'web-1', container: 'main', command: ['date'] }

const withExec = async (play: Play, options: StepOptions = {}, protocols?: string[]) => {
  const cluster = await withCluster()
  const calls = fakeExec(cluster, play, protocols)
  const recorded = await aPodStep(cluster, options)
  const { exec } = (await recorded.step.use(kubernetes)).as(recorded.step)
  return { ...recorded, cluster, calls, exec }
}

const all = async (output: ExecOutput) => {
  const chunks: Uint8Array[] = []
  for (;;) {
    const next = await output.next()
    if (next.done) return { out: Buffer.concat(chunks), ...next.value }
    chunks.push(next.value)
  }
}

const here = async (): Promise<Play> => {
  const cwd = await mkdtemp(join(tmpdir(), 'yarak-exec-'))
  onTestFinished(() => rm(cwd, { recursive: true }))
  return locally({ cwd })
}

describe('a command in a container', () => {
  it('gives its output, the end of its standard error and its exit code', async () => {
    const { exec, calls, spans } = await withExec(async (_call, answer) => {
      await answer.stdout('one\n')
      await answer.stderr(`${'x'.repeat(5000)}the end`)
      await answer.stdout('two\n')
      answer.exit(3)
    })
    const { out, code, stderr } = await exec(REQUEST, all)
    expect([out.toString(), code]).toEqual(['one\ntwo\n', 3])
    expect(stderr).toMatch(/^x{4089}the end$/)
    expect(calls).toMatchObject([{ ...REQUEST, protocol: 'v5.channel.k8s.io', stdin: undefined }])
    expect(Object.fromEntries(calls[0]?.query ?? [])).toMatchObject({ stdin: 'false', stdout: 'true', tty: 'false' })
    expect(calls[0]?.headers).toMatchObject({ traceparent: expect.any(String), 'user-agent': 'yarak' })
    expect(spans).toMatchObject([
      {
        name: 'GET /api/v1/namespaces/{namespace}/pods/{name}/exec',
        attributes: { 'url.template': '/api/v1/namespaces/{namespace}/pods/{name}/exec' },
        after: { 'http.response.status_code': 101 },
      },
    ])
  })

  it('gets its arguments as they are, whatever is in them', async () => {
    const { exec, calls } = await withExec((_call, answer) => answer.exit(0))
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 5 }), async (command) => {
        await exec({ ...REQUEST, command }, all)
        expect(calls.at(-1)?.command).toEqual(command)
      }),
      { numRuns: 15 },
    )
  })

  it('gets its input, however long, and the end of it', async () => {
    const { exec } = await withExec(await here())
    const stdin = Buffer.alloc(1_000_000, 'abcdefg\n')
    const { out, code } = await exec({ ...REQUEST, command: ['cat'], stdin }, all)
    expect([out.equals(stdin), code]).toEqual([true, 0])
    expect((await exec({ ...REQUEST, command: ['wc', '-c'], stdin: Buffer.alloc(0) }, all)).out.toString()).toBe('0\n')
  })

  it('runs on a server that knows no end of input, but not with input', async () => {
    const { exec, calls } = await withExec((_call, answer) => answer.exit(0), {}, ['v4.channel.k8s.io'])
    expect(await exec(REQUEST, all)).toMatchObject({ code: 0 })
    expect(calls[0]?.protocol).toBe('v4.channel.k8s.io')
    expect(await rejection(exec({ ...REQUEST, stdin: Buffer.from('x') }, all))).toMatchObject({ code: 'unavailable' })
  })

  it('is taken no faster than it is read', async () => {
    let sent = 0
    const { exec } = await withExec(async (_call, answer) => {
      const chunk = Buffer.alloc(64 * 1024)
      for (let i = 0; i < 1024 && !answer.closed.aborted; i++) {
        await answer.stdout(chunk)
        sent += chunk.length
      }
      answer.exit(0)
    })
    const total = await exec(REQUEST, async (output) => {
      await output.next()
      // What fits into the buffers on the way comes; the rest waits.
      let before = -1
      while (before !== sent) {
        before = sent
        await new Promise((done) => setTimeout(done, 100))
      }
      expect(sent).toBeLessThan(48 * 1024 * 1024)
      let rest = 0
      for await (const chunk of output) rest += chunk.length
      return rest
    })
    expect(total).toBeGreaterThan(63 * 1024 * 1024)
  })

  it('is let go of when nobody reads on', async () => {
    const closed = Promise.withResolvers<void>()
    const { exec } = await withExec(async (_call, answer) => {
      await answer.stdout('x')
      await once(answer.closed, 'abort')
      closed.resolve()
    })
    await exec(REQUEST, async (output) => void (await output.next()))
    await closed.promise
    await expect(exec(REQUEST, () => Promise.reject(new TypeError('mine')))).rejects.toThrow(TypeError)
  })
})

describe('a command that cannot be told to have ended', () => {
  it('is unknown when the connection is lost', async () => {
    const { exec } = await withExec(async (_call, answer) => {
      await answer.stdout('begun')
      answer.drop()
    })
    const error = await rejection(exec(REQUEST, all))
    expect(error).toMatchObject({ code: 'unknown', reason: 'dropped', permanent: true })
  })

  it('is interrupted by the signal, before and after it began', async () => {
    const controller = new AbortController()
    const { exec } = await withExec(
      async (_call, answer) => {
        await answer.stdout('begun')
        controller.abort(new Error('stopped'))
      },
      { signal: controller.signal },
    )
    expect(await rejection(exec(REQUEST, all))).toMatchObject({ code: 'interrupted' })
    expect(await rejection(exec(REQUEST, all))).toMatchObject({ code: 'interrupted' })
  })
})

describe('a command that is not started', () => {
  it.each([
    ['containerd', notFound('date')],
    ['a path', { status: 'Failure', message: 'exec: "/bin/date": stat /bin/date: no such file or directory: unknown' }],
  ])('has no such program: %s', async (_how, end) => {
    const { exec } = await withExec((_call, answer) => answer.status(end))
    expect(await rejection(exec(REQUEST, all))).toMatchObject({ reason: 'not-executable', permanent: true })
  })

  it('has no such program, as some runtimes tell by exit code and standard error', async () => {
    const { exec } = await withExec(async (_call, answer) => {
      await answer.stderr('time="x" level=error msg="exec failed: unable to start container process: exec: \\"date\\""')
      answer.exit(255)
    })
    expect(await rejection(exec(REQUEST, all))).toMatchObject({ reason: 'not-executable' })
  })

  it.each([
    ['another fault', { status: 'Failure', message: 'container not found ("main")' }],
    ['nothing that is known', {}],
  ])('tells what is wrong: %s', async (_how, end) => {
    const { exec } = await withExec((_call, answer) => answer.status(end))
    expect(await rejection(exec(REQUEST, all))).toMatchObject({ code: 'failed', reason: 'exec', permanent: false })
  })

  it.each([
    [status(403, 'Forbidden', 'User "y" cannot get resource "pods/exec"'), { code: 'refused', reason: 'forbidden' }],
    [status(404, 'NotFound', 'pods "web-1" not found', { name: 'web-1' }), { code: 'gone' }],
    [status(400, 'BadRequest', 'container x is not valid'), { code: 'failed', permanent: true }],
    [{ ...status(429, 'TooManyRequests', 'x'), headers: { 'Retry-After': '7' } }, { retryAfter: 7_000 }],
    [status(500, 'InternalError', 'x'), { code: 'failed', reason: '500', permanent: false }],
    ['cut', { code: 'unavailable' }],
  ] as const)('is refused by the server as any other request: %j', async (answer, error) => {
    const { exec, cluster } = await withExec(() => expect.fail('it ran'))
    cluster.override = () => answer
    expect(await rejection(exec(REQUEST, all))).toMatchObject(error)
  })

  it('is cut short while the server does not answer', async () => {
    const controller = new AbortController()
    const { exec, cluster } = await withExec(() => expect.fail('it ran'), { signal: controller.signal })
    cluster.override = () => {
      setImmediate(() => controller.abort())
      return 'hang'
    }
    expect(await rejection(exec(REQUEST, all))).toMatchObject({ code: 'interrupted' })
  })
})
