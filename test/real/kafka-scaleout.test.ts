/** Three processes of the binary share the partitions of a topic; whatever happens to one of them, nothing is lost. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { alertNo, client, committed, makeTopics, type Writer, writer } from './kafka/input.ts'
import { kafka, type RunningKafka } from './kafka.ts'
import { freePort, until } from './part.ts'
import { describePart } from './vitest.ts'

const MAIN = resolve(import.meta.dirname, '../../src/main.ts')
const PARTITIONS = 12
const NAMES = ['one', 'two', 'three']

/** Alerts written at a time, every so many milliseconds. */
const CHUNK = 50
const PACE = 40

describePart(kafka, () => {
  describe('three processes', () => {
    let broker: RunningKafka
    let brokers: readonly string[] = []
    let to: Writer
    let dir = ''
    let topic = ''
    const children = new Map<string, ChildProcess>()

    beforeAll(async () => {
      broker = await kafka.start()
      brokers = broker.addresses.brokers
      to = await writer(brokers)
    })
    afterAll(async () => {
      await to?.close()
      await broker?.stop()
    })
    beforeEach(async () => {
      dir = mkdtempSync(join(tmpdir(), 'yarak-scaleout-'))
      topic = `shared-${dir.slice(-6)}`
      // what a codec of plain Node reads, and not the one of a test runner
      const configEntries = [{ name: 'compression.type', value: 'lz4' }]
      await makeTopics(brokers, { topic, numPartitions: PARTITIONS, configEntries })
    })
    afterEach(async () => {
      await Promise.all([...children.keys()].map((name) => end(name, 'SIGKILL')))
      rmSync(dir, { recursive: true, force: true })
    })

    const start = async (name: string): Promise<void> => {
      const home = join(dir, name)
      mkdirSync(home, { recursive: true })
      const config = {
        version: 1,
        listen: `127.0.0.1:${await freePort()}`,
        dataDir: home,
        inputs: {
          kafka: {
            brokers,
            topics: [topic],
            groupId: topic,
            from: 'earliest',
            sessionTimeout: '3s',
            commitInterval: '200ms',
          },
        },
        outputs: { file: { path: join(home, 'told.jsonl') } },
      }
      writeFileSync(join(home, 'yarak.yaml'), JSON.stringify(config))
      const child = spawn(process.execPath, [MAIN, 'run', '--config', join(home, 'yarak.yaml')], {
        cwd: home,
        env: { PATH: process.env.PATH },
        stdio: ['ignore', 'ignore', 'inherit'],
      })
      children.set(name, child)
    }
    const end = async (name: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> => {
      const child = children.get(name)
      children.delete(name)
      if (!child || child.exitCode !== null) return child?.exitCode ?? null
      const gone = new Promise<number | null>((done) => child.once('exit', done))
      child.kill(signal)
      return gone
    }
    /** The numbers that were told of, by process. */
    const told = (name: string): string[] => {
      try {
        return [...readFileSync(join(dir, name, 'told.jsonl'), 'utf8').matchAll(/"output":"no (\d+)"/g)].map(
          ([, id]) => id ?? '',
        )
      } catch {
        return []
      }
    }
    const all = (): Set<string> => new Set(NAMES.flatMap(told))
    const allTold = (count: number) =>
      until(`${count} alerts`, async () => (all().size >= count ? true : undefined), 90_000).catch((cause: unknown) => {
        throw new Error(`${all().size} of ${count} alerts were told of`, { cause })
      })
    /** How many partitions each member of the group has. */
    const shares = async (): Promise<number[]> => {
      const admin = client(brokers).admin()
      await admin.connect()
      const { groups } = await admin.describeGroups([topic]).finally(() => admin.disconnect())
      const members = groups[0]?.state === 'Stable' ? groups[0].members : []
      return members.map(({ memberAssignment }) => partitionsIn(memberAssignment)).sort()
    }
    const shared = (...wanted: number[]) =>
      until(
        `shares of ${wanted.join(', ')}`,
        async () => String(await shares()) === String(wanted) || undefined,
        60_000,
      )
    const startAll = async (): Promise<void> => {
      await Promise.all(NAMES.map(start))
      await shared(4, 4, 4)
    }
    const write = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += CHUNK) {
        await to.write(topic, ...Array.from({ length: CHUNK }, (_, j) => alertNo(i + j)))
        await sleep(PACE)
      }
    }
    const allCommitted = (count: number) =>
      until('all commits', async () => {
        const offsets = await committed(brokers, topic, topic)
        return offsets.reduce((sum, offset) => sum + Math.max(0, offset), 0) === count || undefined
      })

    it('share the partitions, and lose nothing when one is killed under load', async () => {
      await startAll()
      const writing = write(5_000)
      await until('work for each', async () => NAMES.every((name) => told(name).length > 0) || undefined)
      await end('two', 'SIGKILL')
      await writing
      await allTold(5_000)
      await shared(6, 6)
      await allCommitted(5_000)
      expect([...all()].map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 5_000 }, (_, i) => i))
    })

    it('lose nothing when one is killed and back within the session timeout', async () => {
      await startAll()
      const writing = write(5_000)
      await until('work for each', async () => NAMES.every((name) => told(name).length > 0) || undefined)
      await end('one', 'SIGKILL')
      await start('one')
      await writing
      await allTold(5_000)
      await shared(4, 4, 4)
      await allCommitted(5_000)
    })

    it('lose nothing in a rolling restart, and each leaves in good order', async () => {
      await startAll()
      const writing = write(8_000)
      await until('work for each', async () => NAMES.every((name) => told(name).length > 0) || undefined)
      for (const name of NAMES) {
        expect(await end(name, 'SIGTERM')).toBe(0)
        await start(name)
        await shared(4, 4, 4)
      }
      await writing
      await allTold(8_000)
      await allCommitted(8_000)
    })
  })
})

/** The consumer protocol's assignment: version, then for each topic its name and partitions. */
const partitionsIn = (assignment: Buffer): number => {
  if (assignment.length < 6) return 0
  let at = 6
  let count = 0
  for (let topics = assignment.readInt32BE(2); topics > 0; topics--) {
    at += 2 + assignment.readInt16BE(at)
    const partitions = assignment.readInt32BE(at)
    at += 4 + 4 * partitions
    count += partitions
  }
  return count
}
