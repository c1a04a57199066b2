import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apiError } from '../../src/resources/_kube-errors.ts'
import { describeRequest, parseApiPath, verbOf } from '../../src/resources/_kube-path.ts'
import { status } from '../fake-cluster.ts'

describe('an answer of the API server', () => {
  const path = parseApiPath('/api/v1/namespaces/shop/pods/web-1')
  const answer = (code: number, reason: string, message: string, details?: object) =>
    apiError({
      method: 'DELETE',
      path,
      status: code,
      body: JSON.stringify(status(code, reason, message, details).body),
    })

  it.each([
    [400, 'failed', 'bad-request', true],
    [401, 'refused', 'unauthorized', true],
    [403, 'refused', 'forbidden', true],
    [405, 'failed', '405', true],
    [409, 'failed', 'conflict', false],
    [415, 'failed', '415', true],
    [422, 'failed', 'invalid', true],
    [429, 'failed', 'too-many-requests', false],
    [500, 'failed', '500', false],
    [503, 'unavailable', '503', false],
    [504, 'unavailable', '504', false],
  ])('%i is %s, reason %s, permanent %s', (code, expected, reason, permanent) => {
    expect(answer(code, 'Any', 'said')).toMatchObject({ code: expected, reason, permanent })
  })

  it('409 on what is to be created and is there is permanent', () => {
    const error = answer(409, 'AlreadyExists', 'events.events.k8s.io "a" already exists', { name: 'a' })
    expect(error).toMatchObject({ code: 'failed', reason: 'already-exists', permanent: true })
  })

  it('404 is gone when it names the object', () => {
    expect(answer(404, 'NotFound', 'pods "web-1" not found', { name: 'web-1', kind: 'pods' })).toMatchObject({
      code: 'gone',
      reason: 'not-found',
      message: 'cannot delete pods "web-1" in namespace "shop": pods "web-1" not found',
    })
  })

  it.each([
    JSON.stringify(status(404, 'NotFound', 'the server could not find the requested resource', {}).body),
    '404 page not found',
    '<html>',
    '',
    'null',
  ])('404 that names no object is a failure, since a wrong address must not pass for a success: %j', (body) => {
    expect(apiError({ method: 'DELETE', path, status: 404, body })).toMatchObject({
      code: 'failed',
      reason: 'no-such-api',
      permanent: true,
    })
  })

  it('403 says which rule would allow it', () => {
    const said =
      'pods "web-1" is forbidden: User "system:serviceaccount:y:y" cannot delete resource "pods" in API group ""'
    expect(answer(403, 'Forbidden', said).message).toBe(
      `cannot delete pods "web-1" in namespace "shop": forbidden (to allow it, add {"apiGroups":[""],"resources":["pods"],"verbs":["delete"]} to the rules of a Role bound to the account): ${said}`,
    )
  })

  it('403 names the right that is missing, also that to make what an apply would make', () => {
    const said = (verb: string) => `User "y" cannot ${verb} resource "pods" in API group ""`
    expect(answer(403, 'Forbidden', said('delete')).lacks).toBe('delete pods')
    const path = parseApiPath('/api/v1/namespaces/shop/configmaps/a')
    const body = JSON.stringify(status(403, 'Forbidden', said('create')).body)
    const error = apiError({ method: 'PATCH', path, status: 403, body })
    expect(error.lacks).toBe('create configmaps')
    expect(error.message).toContain('{"apiGroups":[""],"resources":["configmaps"],"verbs":["create"]}')
  })

  it('403 by admission names no rule, for none would help', () => {
    const error = answer(403, 'Forbidden', 'admission webhook "policy" denied the request')
    expect(error.lacks).toBeUndefined()
    expect(error.message).toBe(
      'cannot delete pods "web-1" in namespace "shop": forbidden: admission webhook "policy" denied the request',
    )
  })

  it('403 on a cluster-wide resource asks for a ClusterRole, and names a subresource', () => {
    const error = apiError({
      method: 'POST',
      path: parseApiPath('/api/v1/nodes/n1/proxy'),
      status: 403,
      body: JSON.stringify(status(403, 'Forbidden', 'User "x" cannot create resource "nodes/proxy"').body),
    })
    expect(error.message).toContain('{"apiGroups":[""],"resources":["nodes/proxy"],"verbs":["create"]}')
    expect(error.message).toContain('ClusterRole')
  })

  it('of another uid is gone: what was looked up is not there any more', () => {
    const precondition = 'the UID in the precondition (a) does not match the UID in record (b)'
    const stored = 'StorageError: invalid object, AdditionalErrorMsg: Precondition failed: UID in precondition: a'
    const causes = [{ reason: 'FieldValueInvalid', field: 'metadata.uid' }]
    for (const error of [
      answer(409, 'Conflict', precondition),
      answer(409, 'Conflict', stored),
      answer(422, 'Invalid', 'field is immutable', { causes }),
    ]) {
      expect(error).toMatchObject({ code: 'gone', reason: 'changed' })
    }
  })

  it('409 because another manager owns the fields does not pass by trying again', () => {
    const causes = [{ reason: 'FieldManagerConflict', field: '.spec.egress' }]
    expect(answer(409, 'Conflict', 'Apply failed', { causes })).toMatchObject({ reason: 'conflict', permanent: true })
  })

  it('takes the time to wait from the body when the header has none', () => {
    expect(answer(503, 'ServiceUnavailable', 'later', { retryAfterSeconds: 3 }).retryAfter).toBe(3_000)
    expect(answer(500, 'InternalError', 'oops').retryAfter).toBeUndefined()
  })

  it('is told on one line of bounded length', () => {
    const error = answer(500, 'InternalError', `line\n${'x'.repeat(10_000)}`)
    expect(error.message).not.toContain('\n')
    expect(error.message.length).toBeLessThan(400)
  })
})

describe('the path of a request', () => {
  it.each([
    ['/api/v1/namespaces/shop/pods/web-1', '/api/v1/namespaces/{namespace}/pods/{name}'],
    ['/api/v1/namespaces/shop/pods/web-1/eviction', '/api/v1/namespaces/{namespace}/pods/{name}/eviction'],
    ['/api/v1/namespaces/shop/pods', '/api/v1/namespaces/{namespace}/pods'],
    ['/api/v1/pods', '/api/v1/pods'],
    ['/api/v1/nodes/n1', '/api/v1/nodes/{name}'],
    ['/api/v1/nodes/n1/proxy/logs/x', '/api/v1/nodes/{name}/proxy/{path}'],
    ['/api/v1/namespaces', '/api/v1/namespaces'],
    ['/api/v1/namespaces/shop', '/api/v1/namespaces/{name}'],
    ['/api/v1/namespaces/shop/status', '/api/v1/namespaces/{name}/status'],
    ['/api/v1/namespaces/shop/finalize', '/api/v1/namespaces/{name}/finalize'],
    ['/apis/apps/v1/namespaces/shop/replicasets/web', '/apis/apps/v1/namespaces/{namespace}/replicasets/{name}'],
    ['/apis/cilium.io/v2/ciliumnodes/n1', '/apis/cilium.io/v2/ciliumnodes/{name}'],
    ['/apis/apps/v1', '/apis/apps/v1'],
    ['/api/v1', '/api/v1'],
    ['/version', '/version'],
    ['/some/other/path', '/{path}'],
  ])('%s is %s', (path, template) => expect(parseApiPath(path).template).toBe(template))

  it.each([
    ['GET', '/api/v1/namespaces/shop/pods/web-1', 'get', 'get pods "web-1" in namespace "shop"'],
    ['GET', '/api/v1/pods', 'list', 'list pods'],
    [
      'POST',
      '/api/v1/namespaces/shop/pods/web-1/eviction',
      'create',
      'create pods/eviction "web-1" in namespace "shop"',
    ],
    ['PUT', '/api/v1/nodes/n1', 'update', 'update nodes "n1"'],
    ['PATCH', '/api/v1/nodes/n1', 'patch', 'patch nodes "n1"'],
    ['DELETE', '/api/v1/nodes/n1', 'delete', 'delete nodes "n1"'],
    ['DELETE', '/api/v1/nodes', 'deletecollection', 'deletecollection nodes'],
    ['OPTIONS', '/version', 'options', 'OPTIONS /version'],
  ])('%s %s is the verb %s', (method, text, verb, words) => {
    const path = parseApiPath(text)
    expect(verbOf(method, path)).toBe(verb)
    expect(describeRequest(method, path)).toBe(words)
  })

  it('never lets a name into the template', () => {
    const name = fc.stringMatching(/^q[a-z0-9-]{8,20}$/)
    fc.assert(
      fc.property(name, name, fc.constantFrom('pods', 'services', 'configmaps'), (namespace, own, resource) => {
        const path = parseApiPath(`/api/v1/namespaces/${namespace}/${resource}/${own}`)
        expect(path).toMatchObject({ namespace, name: own, resource, group: '' })
        expect(path.template).toBe(`/api/v1/namespaces/{namespace}/${resource}/{name}`)
      }),
    )
  })

  it('takes any path', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseApiPath(`/api/v1/${text}`)))
    expect(parseApiPath('/api/v1/nodes/%E0%A4%A').name).toBe('%E0%A4%A')
  })
})
