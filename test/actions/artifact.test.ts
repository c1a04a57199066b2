import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { evidenceFolder, evidenceName, saveArtifact } from '../../src/actions/_artifact.ts'
import { YarakError } from '../../src/errors.ts'

const aFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'yarak-artifact-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
}

async function* pieces(...texts: readonly (string | Error)[]) {
  for (const text of texts) {
    if (text instanceof Error) throw text
    yield await Promise.resolve(Buffer.from(text))
  }
}

describe('a file made piece by piece', () => {
  it('holds all pieces, with size and checksum, for its owner only', async () => {
    const folder = join(await aFolder(), 'new')
    const artifact = await saveArtifact(folder, 'a.log', pieces('ab', '', 'c'))
    expect(artifact).toEqual({
      name: 'a.log',
      url: new URL(`file://${folder}/a.log`).href,
      size: 3,
      sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    })
    expect(await readFile(join(folder, 'a.log'), 'utf8')).toBe('abc')
    expect((await stat(join(folder, 'a.log'))).mode & 0o777).toBe(0o600)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
  })

  it('may be empty', async () => {
    expect(await saveArtifact(await aFolder(), 'a.log', [])).toMatchObject({ size: 0 })
  })

  it('does not appear when a piece fails; the error is passed on', async () => {
    const folder = await aFolder()
    const error = new YarakError('unavailable', 'the socket was cut')
    await expect(saveArtifact(folder, 'a.log', pieces('ab', error))).rejects.toBe(error)
    expect(await readdir(folder)).toEqual([])
  })

  it('is told not to be written, with the reason of the system', async () => {
    const folder = await aFolder()
    await saveArtifact(folder, 'file', [])
    await expect(saveArtifact(join(folder, 'file'), 'a', [])).rejects.toMatchObject({
      code: 'failed',
      reason: 'eexist',
    })
  })
})

describe('where it goes', () => {
  it('is the data directory unless a directory is set', () => {
    expect(evidenceFolder(undefined, { dataDir: '/data' })).toBe('/data/evidence')
    expect(evidenceFolder('/logs', { dataDir: '/data' })).toBe('/logs')
  })

  it('is named after time, rule and response, whatever they hold', () => {
    const response = { id: '../../x', rule: 'A/b: $(c)', traceparent: undefined }
    expect(evidenceName({ response }, new Date(0))).toBe('19700101T000000.000Z_a-b-c_x')
  })
})
