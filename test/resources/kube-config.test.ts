import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadConfig, type Place } from '../../src/resources/_kube-config.ts'
import { kubeconfigFor } from '../fake-cluster.ts'

describe('the configuration', () => {
  const home = async (): Promise<string> => {
    const dir = await mkdtemp(join(tmpdir(), 'yarak-home-'))
    onTestFinished(() => rm(dir, { recursive: true }))
    return dir
  }
  const load = (place: Place) => loadConfig(() => new KubeConfig(), place)
  const refusal = (place: Place): string => {
    try {
      load(place)
    } catch (error) {
      expect(error).toMatchObject({ code: 'config', permanent: true })
      return (error as Error).message
    }
    throw new Error('it was taken')
  }
  const file = async (name: string, text: string): Promise<string> => {
    const path = join(await home(), name)
    await writeFile(path, text)
    return path
  }

  it('is that of the settings before any other, and knows ~', async () => {
    const dir = await home()
    await writeFile(join(dir, 'mine'), kubeconfigFor('http://mine'))
    const env = { HOME: dir, KUBECONFIG: '/nowhere', KUBERNETES_SERVICE_HOST: '10.0.0.1' }
    expect(load({ kubeconfig: '~/mine', env }).getCurrentCluster()?.server).toBe('http://mine')
  })

  it('is that of the pod inside a cluster, also by IPv6', async () => {
    const account = await home()
    await writeFile(join(account, 'token'), 'pod-token')
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443', KUBECONFIG: '/nowhere' }
    const config = load({ env, account })
    expect(config.getCurrentCluster()).toMatchObject({ server: 'https://[fd00::1]:443', skipTLSVerify: false })
    expect(config.getCurrentUser()).toMatchObject({ authProvider: { config: { tokenFile: join(account, 'token') } } })
  })

  it('is all of KUBECONFIG merged, the first name wins', async () => {
    const one = await file('one', kubeconfigFor('http://one', { name: 'a' }))
    const two = await file('two', kubeconfigFor('http://two', { name: 'b' }))
    const three = await file('three', kubeconfigFor('http://three', { name: 'a' }))
    const env = { KUBECONFIG: `${one}:${two}:${three}` }
    expect(load({ env }).getCurrentCluster()?.server).toBe('http://one')
    expect(load({ env, context: 'b' }).getCurrentCluster()?.server).toBe('http://two')
  })

  it('is ~/.kube/config last', async () => {
    const dir = await home()
    await mkdir(join(dir, '.kube'))
    await writeFile(join(dir, '.kube', 'config'), kubeconfigFor('http://usual'))
    expect(load({ env: { HOME: dir } }).getCurrentCluster()?.server).toBe('http://usual')
  })

  it('is missed in words that help', async () => {
    expect(refusal({ env: { HOME: await home() } })).toContain('Set resources.kubernetes.kubeconfig')
    expect(refusal({ env: {} })).toContain('no cluster')
  })

  it('names a file that cannot be read', () => {
    expect(refusal({ env: {}, kubeconfig: '/nowhere/config' })).toMatch(/kubeconfig \/nowhere\/config: ENOENT/)
  })

  it('says where the YAML is wrong, and quotes none of it', async () => {
    const text = 'users:\n- name: a\n  user: {token: hush-hush\n'
    const message = refusal({ env: {}, kubeconfig: await file('bad', text) })
    expect(message).toMatch(/in line \d/)
    expect(message).not.toContain('hush-hush')
  })

  it.each(['', 'clusters: 1', '- a', '{"clusters":[{"name":"x"}]}'])(
    'refuses what is no kubeconfig: %j',
    async (text) => {
      expect(refusal({ env: {}, kubeconfig: await file('odd', text) })).toContain('odd')
    },
  )

  it('names the contexts there are', async () => {
    const kubeconfig = await file('config', kubeconfigFor('http://x', { name: 'real' }))
    expect(refusal({ env: {}, kubeconfig, context: 'unreal' })).toMatch(/"unreal".*it has real$/)
  })

  it('asks for a word of consent before it uses plain http', async () => {
    const kubeconfig = await file('config', kubeconfigFor('http://x', { insecure: false }))
    expect(refusal({ env: {}, kubeconfig })).toContain('insecure-skip-tls-verify: true')
  })

  it('refuses a server that is no URL', async () => {
    const kubeconfig = await file('config', kubeconfigFor('not a url'))
    expect(refusal({ env: {}, kubeconfig })).toContain('is not a URL')
  })
})
