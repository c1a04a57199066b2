import { describe, expect, it } from 'vitest'
import { loadQuietly } from '../../src/cli/load.ts'
import { ownPlace } from '../../src/cli/self.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import { folder } from './_kit.ts'

const MISSING = '/does/not/exist'
const { write } = folder()

describe('where the process runs', () => {
  it('is what the manifest says', () => {
    expect(ownPlace({ POD_NAMESPACE: 'yarak', POD_NAME: 'yarak-0', HOSTNAME: 'other' }, MISSING)).toEqual({
      ownNamespace: 'yarak',
      ownPod: 'yarak-0',
    })
  })

  it('is what the service account and the host name tell', () => {
    const file = write('namespace', 'falco\n')
    expect(ownPlace({ HOSTNAME: 'yarak-5d-x' }, file)).toEqual({ ownNamespace: 'falco', ownPod: 'yarak-5d-x' })
    expect(ownPlace({}, file)).toEqual({ ownNamespace: 'falco' })
  })

  it('is nothing outside of a pod', () => {
    expect(ownPlace({ HOSTNAME: 'laptop' }, MISSING)).toEqual({})
  })

  it('is protected when nothing else is set', async () => {
    const guardsOf = async (text: string) => {
      const config = write('yarak.yaml', `version: 1\n${text}`)
      const terminal = { env: { POD_NAMESPACE: 'yarak', POD_NAME: 'yarak-0' } } as unknown as Terminal
      return (await loadQuietly({ config }, terminal)).options?.guards
    }
    expect(await guardsOf('')).toMatchObject({ ownNamespace: 'yarak', ownPod: 'yarak-0' })
    expect(await guardsOf('guards: { ownNamespace: other }\n')).toMatchObject({ ownNamespace: 'other' })
  })
})
