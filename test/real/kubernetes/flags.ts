/** Command lines of the control plane: a kubeadm cluster's settings, on loopback. */
import type { Pki } from './pki.ts'

type Flags = Readonly<Record<string, string | number | boolean>>

const line = (flags: Flags): string[] => Object.entries(flags).map(([name, value]) => `--${name}=${value}`)

/** A cluster that lives for one test run need not survive a power cut, so etcd does not wait for the disk. */
export const etcdFlags = (dir: string, port: number, peerPort: number): string[] => {
  const peer = `http://127.0.0.1:${peerPort}`
  return line({
    'data-dir': `${dir}/etcd`,
    'listen-client-urls': `http://127.0.0.1:${port}`,
    'advertise-client-urls': `http://127.0.0.1:${port}`,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'unsafe-no-fsync': true,
    'log-level': 'warn',
  })
}

export interface ApiserverSettings {
  readonly pki: Pki
  readonly port: number
  readonly etcdPort: number
}

/**
 * Anonymous requests are refused. Nothing routes the addresses of Services here, so an API server that is to be
 * aggregated is named by a Service of type ExternalName.
 */
export const apiserverFlags = ({ pki, port, etcdPort }: ApiserverSettings): string[] =>
  line({
    'etcd-servers': `http://127.0.0.1:${etcdPort}`,
    'bind-address': '127.0.0.1',
    'advertise-address': '127.0.0.1',
    'endpoint-reconciler-type': 'none',
    'secure-port': port,
    'tls-cert-file': pki.apiserver.cert,
    'tls-private-key-file': pki.apiserver.key,
    'client-ca-file': pki.ca,
    'anonymous-auth': false,
    'authorization-mode': 'RBAC',
    'allow-privileged': true,
    'service-cluster-ip-range': '10.96.0.0/16',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': pki.tokens.cert,
    'service-account-signing-key-file': pki.tokens.key,
    'kubelet-preferred-address-types': 'InternalIP',
    'kubelet-certificate-authority': pki.ca,
    'kubelet-client-certificate': pki.proxy.cert,
    'kubelet-client-key': pki.proxy.key,
    'proxy-client-cert-file': pki.proxy.cert,
    'proxy-client-key-file': pki.proxy.key,
    'requestheader-client-ca-file': pki.ca,
    'requestheader-allowed-names': 'front-proxy-client',
    'requestheader-username-headers': 'X-Remote-User',
    'requestheader-group-headers': 'X-Remote-Group',
    'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
  })

export const controllersFlags = (pki: Pki, kubeconfig: string): string[] =>
  line({
    kubeconfig,
    'use-service-account-credentials': true,
    'service-account-private-key-file': pki.tokens.key,
    'root-ca-file': pki.ca,
    'cluster-signing-cert-file': pki.ca,
    'cluster-signing-key-file': pki.caKey,
    'leader-elect': false,
    'secure-port': 0,
    'kube-api-qps': 200,
    'kube-api-burst': 400,
  })

export const schedulerFlags = (kubeconfig: string): string[] =>
  line({ kubeconfig, 'leader-elect': false, 'secure-port': 0, 'kube-api-qps': 200, 'kube-api-burst': 400 })

export interface KwokSettings {
  readonly pki: Pki
  readonly port: number
  readonly kubeconfig: string
  readonly configs: readonly string[]
}

/** One kwok answers for the kubelets of all nodes that carry the annotation. */
export const kwokFlags = ({ pki, port, kubeconfig, configs }: KwokSettings): string[] => [
  ...line({
    kubeconfig,
    'manage-all-nodes': false,
    'manage-nodes-with-annotation-selector': 'kwok.x-k8s.io/node=fake',
    'node-ip': '127.0.0.1',
    'node-port': port,
    'server-address': `127.0.0.1:${port}`,
    'tls-cert-file': pki.kubelet.cert,
    'tls-private-key-file': pki.kubelet.key,
    'node-lease-duration-seconds': 40,
    cidr: '10.244.0.0/16',
  }),
  ...configs.map((config) => `--config=${config}`),
]
