/**
 * An S3-compatible store: the Versity gateway over a folder. It checks every request's signature (version 4) as AWS
 * does, which the mock servers of npm and PyPI do not.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { goPart } from './go.ts'
import { freePort } from './part.ts'
import { versions } from './versions.ts'

export interface S3Options {
  /** Buckets that are there from the beginning; `evidence` when left out. */
  readonly buckets?: readonly string[]
}

export interface S3Addresses {
  /** For clients with path-style addresses. */
  readonly url: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly buckets: readonly string[]
  /** The folder whose folders are the buckets. */
  readonly folder: string
}

const region = 'us-east-1'
const accessKeyId = 'yarak'
const secretAccessKey = 'yarak-secret'

export const s3 = goPart<S3Addresses, S3Options>({
  name: 's3',
  module: 'github.com/versity/versitygw',
  moduleVersion: versions.versitygw,
  folder: 'cmd/versitygw',
  async begin(binary, run, { buckets = ['evidence'] }) {
    const address = `127.0.0.1:${await freePort()}`
    const folder = join(run.dir, 'buckets')
    const notes = join(run.dir, 'metadata')
    for (const path of [notes, ...buckets.map((bucket) => join(folder, bucket))]) mkdirSync(path, { recursive: true })
    const identity = ['--access', accessKeyId, '--secret', secretAccessKey, '--region', region]
    run.spawn(binary, ['--port', address, ...identity, '--quiet', 'posix', '--sidecar', notes, folder])
    const url = `http://${address}`
    await run.ready(() => refuses(url))
    return { url, region, accessKeyId, secretAccessKey, buckets, folder }
  },
})

/** Up and running, it turns down a request that is not signed. */
const refuses = async (url: string): Promise<true | undefined> => {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
  await response.arrayBuffer()
  return response.status === 403 || undefined
}
