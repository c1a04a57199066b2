/** Files that steps keep: what an attacker writes is in them byte for byte, and leads them nowhere else. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { outputs } from '../../outputs/index.ts'
import { download } from '../../src/actions/kubernetes/download.ts'
import { evidenceSave } from '../../src/actions/evidence-save.ts'
import type { Output, Use } from '../../src/plugin.ts'
import type { Answer } from '../../src/testing.ts'
import { createFakeGcs } from '../outputs/_fake-gcs.ts'
import { createFakeS3 } from '../outputs/_fake-s3.ts'
import { recordSpans } from '../spans.ts'
import { expectNoCanary, pathsIn, shapeOf } from './canaries.ts'
import { textsOf } from './leaves.ts'
import { isLarge, PAYLOADS } from './payloads.ts'
import type { Received } from './wire.ts'
import { aWorld, type World } from './world.ts'

const spans = recordSpans()

const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'hush-hush' }

interface Stand {
  readonly settings: (folder: string) => object
  answer(request: Received): Answer
  /** What is in it, by name. */
  kept(folder: string): Promise<ReadonlyMap<string, string>>
}

const bodies = (objects: ReadonlyMap<string, { readonly body: string }>): Promise<ReadonlyMap<string, string>> =>
  Promise.resolve(new Map([...objects].map(([name, { body }]) => [name, body])))

const s3 = (settings: object, region: string): Stand => {
  const fake = createFakeS3({ ...KEYS, region })
  return {
    settings: () => ({ bucket: 'evidence', ...KEYS, ...settings }),
    answer: (request) => fake.answer(request) as Answer,
    kept: () => bodies(fake.objects),
  }
}

const gcs = (): Stand => {
  const fake = createFakeGcs('Bearer x')
  return {
    settings: () => ({ bucket: 'evidence' }),
    answer: (request) => fake.answer(request) as Answer,
    kept: () => bodies(fake.objects),
  }
}

const blobs = (): Stand => {
  const kept = new Map<string, string>()
  return {
    settings: () => ({ account: 'secops', container: 'evidence' }),
    answer({ path, body }) {
      kept.set(decodeURIComponent(path.slice(1)), body)
      return { status: 201 }
    },
    kept: () => Promise.resolve(kept),
  }
}

const folder = (): Stand => ({
  settings: (root) => ({ dir: join(root, 'kept') }),
  answer: () => ({}),
  async kept(root) {
    const names = await readdir(join(root, 'kept'), { recursive: true })
    return new Map(
      await Promise.all(names.map(async (name) => [name, await readFile(join(root, 'kept', name), 'utf8')] as const)),
    )
  },
})

const STANDS: Readonly<Record<string, () => Stand>> = {
  'aws.s3': () => s3({ region: 'eu-central-1', prefix: '' }, 'eu-central-1'),
  'azure.blob': blobs,
  file: folder,
  'gcp.storage': gcs,
  minio: () => s3({ endpoint: 'http://minio:9000' }, 'us-east-1'),
}

const STORES = (outputs as readonly unknown[] as readonly (Output & ((config: object) => Use<Output>))[]).filter(
  ({ stores }) => stores,
)

/** The time, the pod, the response, the step, and what is left of the name of the file. */
const NAME = /^(evidence\/)?\d{4}-\d\d-\d\dT[\d-]+\.\d+Z_shop_web-1_[0-9a-f]+_(download|evidence)_[A-Za-z0-9._-]+$/

const gatewayOn = (world: World, output: Use<Output>) =>
  world.gateway(
    [
      { action: evidenceSave({}), id: 'evidence', store: output.id },
      { action: download({ file: '/var/{{ proc.cmdline }}' }), id: 'download', store: output.id },
    ],
    [{ output: world.outputWithFakes(output), tell: 'none' }],
  )

describe.each(STORES.map((output) => [output.type, output] as const))('%s', (type, output) => {
  it('keeps what it is given, where it belongs', async () => {
    const stand = STANDS[type]?.() ?? expect.fail(`${type} has no stand here`)
    const world = await aWorld((request) => stand.answer(request))
    const gateway = gatewayOn(world, output(stand.settings(world.root)))
    await world.respond(gateway, { 'proc.cmdline': 'ordinary' })
    const shapes = new Set(pathsIn(world.tap.taken()).map(shapeOf))
    world.counted = world.cluster.requests.length + world.calls.length

    for (const [name, payload] of Object.entries(PAYLOADS)) {
      const fields = { rule: payload, 'proc.cmdline': payload, 'proc.name': payload }
      const [evidence, file] = await world.respond(gateway, isLarge(payload) ? { 'proc.cmdline': payload } : fields)
      const kept = await stand.kept(world.root)
      expect(evidence, `${name}: ${evidence?.summary}`).toMatchObject({ outcome: 'succeeded' })
      const { body, sha256 } = theOne(kept, evidence?.artifacts?.[0]?.name)
      expect(textsOf(body).includes(payload), name).toBe(true)
      expect(createHash('sha256').update(body).digest('hex')).toBe(sha256(evidence?.artifacts?.[0]?.name))
      if (file?.outcome === 'succeeded') expect(theOne(kept, file.artifacts?.[0]?.name).body, name).toBe('said')
      else expect(['too-large', 'bad-argument'], name).toContain(file?.error?.reason)
      expect([...kept.keys()].filter((key) => !NAME.test(key))).toEqual([])
    }
    await gateway.stop()
    await expectNoCanary(world, spans.all(), shapes)
  })
})

/** The file of an artifact, and the checksum that its record tells. */
const theOne = (kept: ReadonlyMap<string, string>, artifact: string | undefined) => {
  const find = (name: string): string => [...kept].find(([key]) => key.endsWith(name))?.[1] ?? expect.fail(`no ${name}`)
  const record = (name = ''): unknown => (JSON.parse(find(`${name}.custody.json`)) as { sha256: unknown }).sha256
  return { body: find(artifact ?? ''), sha256: record }
}
