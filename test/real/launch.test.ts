import { existsSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { answers, converse, launch } from './launch.ts'
import { freePort } from './part.ts'

const node = process.execPath

test('stops what it started, the last first, and removes its folder', async () => {
  const order: string[] = []
  const running = await launch('example', async (run) => {
    const { child } = run.spawn(node, ['-e', 'setInterval(() => {}, 1000)'])
    child.once('exit', (_, signal) => order.push(String(signal)))
    run.closing(async () => void order.push('closed'))
    return { file: run.file('config', 'x') }
  })
  expect(readFileSync(running.addresses.file, 'utf8')).toBe('x')
  await running.stop()
  await running.stop()
  expect(order).toEqual(['closed', 'SIGTERM'])
  expect(existsSync(dirname(running.addresses.file))).toBe(false)
})

test('fails at once when a process ends, and keeps its log', async () => {
  const began = Date.now()
  const start = launch('example', async (run) => {
    run.spawn(node, ['-e', 'console.log("bad flag"); process.exitCode = 3'])
    return run.ready<object>(async () => undefined)
  })
  const message = await start.then(
    () => '',
    (reason: Error) => reason.message,
  )
  expect(message).toMatch(/^example did not start: .* ended with 3\nbad flag/)
  expect(Date.now() - began).toBeLessThan(5_000)
  const [, dir = ''] = /Its logs are in (\S+)/.exec(message) ?? []
  expect(readFileSync(join(dir, 'server.log'), 'utf8')).toBe('bad flag\n')
  rmSync(dir, { recursive: true })
})

test('keeps the folder of a run whose process crashed', async () => {
  const running = await launch('example', async (run) => {
    const { child } = run.spawn(node, ['-e', 'process.exitCode = 1'])
    await new Promise((done) => child.once('close', done))
    return { dir: run.dir }
  })
  await running.stop()
  expect(existsSync(running.addresses.dir)).toBe(true)
  rmSync(running.addresses.dir, { recursive: true })
})

test('a conversation ends when enough was heard, or the peer has said all', async () => {
  const server = createServer((socket) =>
    socket.on('data', (bytes) => socket.write(bytes)).on('end', () => socket.end()),
  )
  const port = await freePort()
  await new Promise<void>((ready) => server.listen(port, '127.0.0.1', ready))
  expect((await converse(port, 'hello', (heard) => heard.length === 5)).toString()).toBe('hello')
  expect((await converse(port, '', () => false)).toString()).toBe('')
  server.close()
  await expect(converse(port, 'x', () => true)).rejects.toThrow('ECONNREFUSED')
  await expect(answers(`http://127.0.0.1:${port}`)()).rejects.toThrow('fetch failed')
})
