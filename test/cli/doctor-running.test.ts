/** `yarak doctor` beside `yarak run`. */
import { chmodSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { alert } from '../kit.ts'
import { examined, saidOf } from './_doctor.ts'
import { closedPort, folder, start } from './_kit.ts'

const files = folder()

it('tells of the gateway that runs: its inputs, its journal in use, its dead letters; and of the one that has gone', async () => {
  const port = await closedPort()
  const config = files.write('yarak.yaml', {
    ...{ version: 1, dataDir: files.at('data'), listen: `127.0.0.1:${port}`, rules: [] },
    ...{ inputs: { http: {}, file: { path: files.at('falco.log') } }, outputs: { stdout: {} } },
  })
  chmodSync(config, 0o600)
  const gateway = start(['run', '--config', config])
  onTestFinished(() => gateway.interrupt())
  const url = await gateway.address()
  const args = ['--config', config]
  expect(saidOf(await examined(args), 'gateway', 'input http')).toEqual([
    'skip: it has brought no event since the start',
  ])

  expect((await fetch(url, { method: 'POST', body: JSON.stringify(alert()) })).ok).toBe(true)
  const found = await examined(args)
  expect(saidOf(found, 'gateway', 'input http')).toEqual([expect.stringMatching(/^ok: its last event came \d+ s ago$/)])
  expect(saidOf(found, 'gateway', 'input file')).toEqual(['skip: it has brought no event since the start'])
  expect(saidOf(found, 'gateway', 'dead letters')).toEqual(['ok: there are none'])
  expect(saidOf(found, 'gateway', 'version')).toEqual([expect.stringMatching(/^ok: /)])
  expect(saidOf(found, 'listeners')).toEqual(['ok: the gateway listens there'])
  expect(saidOf(found, 'journal', 'owner')).toEqual([`ok: the process ${process.pid} has it open`])
  expect(saidOf(found, 'clock', 'gateway')).toEqual(['ok: our clock agrees with it'])

  expect((await fetch(url, { method: 'POST', body: 'no alert' })).status).toBe(400)
  expect(saidOf(await examined(args), 'gateway', 'events')).toEqual([expect.stringMatching(/^warn: 1 event rejected/)])

  gateway.interrupt()
  await gateway.ended
  const after = await examined(args)
  expect(saidOf(after, 'gateway')).toEqual([expect.stringMatching(/^skip: no gateway answers/)])
  expect(saidOf(after, 'listeners')).toEqual(['ok: it is free'])
  expect(saidOf(after, 'journal', 'owner')).toEqual(['ok: no process has it open'])
})
