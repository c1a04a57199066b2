/** How a client gets into the in-process API server. */

export const TOKEN = 'the-secret-token'

/** The file of a cluster at `url`, with a token. */
export const kubeconfigFor = (url: string, { name = 'fake', insecure = true, token = TOKEN } = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server: url, 'insecure-skip-tls-verify': insecure } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  })
