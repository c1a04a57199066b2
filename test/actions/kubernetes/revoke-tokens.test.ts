import { describe, expect, it } from 'vitest'
import { revokeTokens } from '../../../src/actions/kubernetes/revoke-tokens.ts'
import { YarakError } from '../../../src/errors.ts'
import { type FakeCluster, type KubeObject, status } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { aPod, aPodStep, rejection, withCluster } from './world.ts'

type Params = Parameters<typeof perform<typeof revokeTokens.config>>[1]

const run = async (cluster: FakeCluster, params: Params = {}, options: StepOptions = {}) =>
  perform(revokeTokens, params, await aPodStep(cluster, options))

const ALL: Params = { scope: 'serviceaccount' }

const podOf = (name: string, account?: string): KubeObject => {
  const pod = aPod({ name, uid: `uid-${name.at(-1)}` })
  return { ...pod, spec: { ...pod.spec, ...(account && { serviceAccountName: account }) } }
}

const tokenOf = (name: string, account: string): KubeObject =>
  ({
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      annotations: { 'kubernetes.io/service-account.name': account },
    },
    type: 'kubernetes.io/service-account-token',
  }) as KubeObject

const ACCOUNT = {
  metadata: { name: 'seller', namespace: 'shop', uid: 'uid-seller', labels: { team: 'shop' }, annotations: { a: 'b' } },
  imagePullSecrets: [{ name: 'registry' }],
  secrets: [{ name: 'seller-token' }, { name: 'mounted' }],
  automountServiceAccountToken: false,
} as unknown as KubeObject

/** Two pods of the account `seller`, one of another; two tokens kept as Secrets. */
const aShop = async (): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Pod', podOf('web-1', 'seller'))
  cluster.add('Pod', podOf('web-2', 'seller'))
  cluster.add('Pod', podOf('other-3', 'buyer'))
  cluster.add('ServiceAccount', ACCOUNT)
  cluster.add('Secret', tokenOf('seller-token', 'seller'))
  cluster.add('Secret', tokenOf('buyer-token', 'buyer'))
  return cluster
}

const account = (cluster: FakeCluster) => cluster.get('ServiceAccount', 'shop', 'seller')
const changes = (cluster: FakeCluster): string[] =>
  cluster.requests
    .filter(({ method }) => method !== 'GET')
    .map(({ method, path }) => `${method} ${path.split('/').slice(-2).join('/')}`)

describe('kubernetes:revoke-tokens of a pod', () => {
  it('deletes the pod by its uid', async () => {
    const cluster = await aShop()
    expect(await run(cluster)).toEqual({
      summary: 'revoked the tokens of pod shop/web-1 by deleting it',
      objects: { pod: 'web-1', namespace: 'shop' },
    })
    expect(changes(cluster)).toEqual(['DELETE pods/web-1'])
    expect(cluster.requests.at(-1)?.body).toEqual({ preconditions: { uid: 'uid-1' } })
  })

  it('only asks in a dry run', async () => {
    const cluster = await aShop()
    expect((await run(cluster, {}, { dryRun: true })).summary).toMatch(/^would revoke/)
    expect(cluster.get('Pod', 'shop', 'web-1')).toBeDefined()
  })
})

describe('kubernetes:revoke-tokens of a service account', () => {
  it('makes the account anew, the same but for its identity, and deletes its kept tokens', async () => {
    const cluster = await aShop()
    expect(await run(cluster, ALL)).toEqual({
      summary:
        'revoked all tokens of service account shop/seller, 1 of them kept as a Secret; 2 pods lose access until restarted',
      objects: { pod: 'web-1', namespace: 'shop', serviceaccount: 'seller' },
      output: 'shop/web-1\nshop/web-2',
    })
    const fresh = account(cluster)
    expect(fresh?.metadata.uid).not.toBe('uid-seller')
    expect(fresh).toMatchObject({
      metadata: { labels: { team: 'shop' }, annotations: { a: 'b', 'yarak.dev/rule': 'React' } },
      imagePullSecrets: [{ name: 'registry' }],
      secrets: [{ name: 'mounted' }],
      automountServiceAccountToken: false,
    })
    expect(cluster.get('Secret', 'shop', 'seller-token')).toBeUndefined()
    expect(cluster.get('Secret', 'shop', 'buyer-token')).toBeDefined()
    expect(cluster.get('Pod', 'shop', 'web-1')?.metadata.annotations ?? {}).toEqual({})
  })

  it('judges every pod that loses access, and then changes nothing when one is refused', async () => {
    const cluster = await aShop()
    const judged: string[] = []
    const judge = async ({ name = '' }: { name?: string }) => {
      judged.push(name)
      if (name === 'web-2') throw new YarakError('refused', 'protected', { reason: 'protected-label' })
    }
    expect(await rejection(run(cluster, ALL, { judge }))).toMatchObject({ reason: 'protected-label' })
    expect(judged).toEqual(['web-1', 'web-2'])
    expect(changes(cluster)).toEqual([])
  })

  it('lists in a dry run, and changes nothing', async () => {
    const cluster = await aShop()
    const { summary, output } = await run(cluster, ALL, { dryRun: true })
    expect(summary).toMatch(/^would revoke all tokens/)
    expect(output).toBe('shop/web-1\nshop/web-2')
    expect(changes(cluster)).toEqual([])
  })

  it('leaves `default` alone unless it is told', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', podOf('web-1'))
    cluster.add('ServiceAccount', { metadata: { name: 'default', namespace: 'shop', uid: 'd' } })
    expect(await rejection(run(cluster, ALL))).toMatchObject({ code: 'refused', reason: 'default-account' })
    expect((await run(cluster, { ...ALL, allow_default: true })).summary).toContain('service account shop/default')
  })

  it.each([
    ['after the note', /DELETE .*serviceaccounts/],
    ['before the account is there again', /POST .*serviceaccounts/],
    ['before the tokens are deleted', /DELETE .*secrets/],
  ])('goes on where an earlier try was cut short: %s', async (_when, cutAt) => {
    const cluster = await aShop()
    cluster.override = ({ method, path }) => (cutAt.test(`${method} ${path}`) ? 'cut' : undefined)
    await expect(run(cluster, ALL)).rejects.toThrow()
    cluster.override = undefined
    await run(cluster, ALL)
    expect(account(cluster)?.metadata.uid).not.toBe('uid-seller')
    expect(account(cluster)).toMatchObject({
      imagePullSecrets: [{ name: 'registry' }],
      secrets: [{ name: 'mounted' }],
      metadata: { labels: { team: 'shop' } },
    })
    expect(cluster.get('Secret', 'shop', 'seller-token')).toBeUndefined()
    expect(cluster.get('Pod', 'shop', 'web-1')?.metadata.annotations ?? {}).toEqual({})
  })

  it('takes an account that the cluster has made anew meanwhile as it is', async () => {
    const cluster = await aShop()
    cluster.override = ({ method, path }) => {
      if (method !== 'POST' || !path.endsWith('/serviceaccounts')) return undefined
      cluster.add('ServiceAccount', { metadata: { name: 'seller', namespace: 'shop', uid: 'by-the-cluster' } })
      return status(409, 'AlreadyExists', 'serviceaccounts "seller" already exists', { name: 'seller' })
    }
    await run(cluster, ALL)
    expect(account(cluster)?.metadata.uid).toBe('by-the-cluster')
  })

  it('is gone where the account is not there and nobody wrote it down', async () => {
    const cluster = await aShop()
    cluster.override = ({ method, path }) =>
      method === 'GET' && path.endsWith('/serviceaccounts/seller')
        ? status(404, 'NotFound', 'serviceaccounts "seller" not found', { name: 'seller' })
        : undefined
    expect(await rejection(run(cluster, ALL))).toMatchObject({ code: 'gone' })
  })
})

describe('the settings of kubernetes:revoke-tokens', () => {
  it('decide what it may touch, and are no templates', () => {
    expect(() => revokeTokens({ scope: '{{ rule }}' })).toThrow('scope must be fixed text')
    const rights = (params: Params) => {
      const { permissions } = revokeTokens
      if (typeof permissions !== 'function') throw new Error('its permissions depend on its settings')
      return JSON.stringify(permissions(revokeTokens.config.parse(params)))
    }
    expect(rights({})).not.toContain('secrets')
    expect(rights(ALL)).toContain('serviceaccounts')
  })
})
