/** The cluster's certificates and the kubeconfig files of those who talk to it. */
import { writeFileSync } from 'node:fs'
import { stringify } from 'yaml'
import { authority, loopback, type KeyPair } from '../certificates.ts'

export interface Pki {
  /** Certificate of the one authority. */
  readonly ca: string
  readonly caKey: string
  readonly apiserver: KeyPair
  /** Serves the kubelet's endpoints of all nodes. */
  readonly kubelet: KeyPair
  /** Shown by the API server to kubelets and to the API servers that it aggregates. */
  readonly proxy: KeyPair
  readonly admin: KeyPair
  readonly controllers: KeyPair
  readonly scheduler: KeyPair
  /** Signs the tokens of ServiceAccounts. */
  readonly tokens: KeyPair
}

const inCluster = ['DNS:kubernetes', 'DNS:kubernetes.default', 'DNS:kubernetes.default.svc', 'IP:10.96.0.1']

export const makePki = async (dir: string): Promise<Pki> => {
  const ca = await authority(dir)
  const [apiserver, kubelet, proxy, admin, controllers, scheduler, tokens] = await Promise.all([
    ca.issue('apiserver', { name: 'kube-apiserver', hosts: [...loopback, ...inCluster] }),
    ca.issue('kubelet', { name: 'kubelet', hosts: loopback }),
    ca.issue('proxy', { name: 'front-proxy-client' }),
    ca.issue('admin', { name: 'admin', group: 'system:masters' }),
    ca.issue('controllers', { name: 'system:kube-controller-manager' }),
    ca.issue('scheduler', { name: 'system:kube-scheduler' }),
    ca.issue('tokens', { name: 'service-accounts' }),
  ])
  return { ca: ca.cert, caKey: ca.key, apiserver, kubelet, proxy, admin, controllers, scheduler, tokens }
}

export interface Access {
  readonly server: string
  readonly ca: string
  readonly user: string
  readonly credentials: KeyPair | { readonly token: string }
  readonly namespace?: string
}

/** Writes a kubeconfig with one context and gives its path. */
export const writeKubeconfig = (path: string, { server, ca, user, credentials, namespace }: Access): string => {
  const identity =
    'token' in credentials ? credentials : { 'client-certificate': credentials.cert, 'client-key': credentials.key }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'yarak', cluster: { server, 'certificate-authority': ca } }],
    users: [{ name: user, user: identity }],
    contexts: [
      { name: 'yarak', context: { cluster: 'yarak', user, ...(namespace === undefined ? {} : { namespace }) } },
    ],
    'current-context': 'yarak',
  }
  writeFileSync(path, stringify(config), { mode: 0o600 })
  return path
}
