/** What an answer of a Kubernetes API server means for the engine. Pure. Neither headers nor bodies get into a message. */
import { YarakError } from '../plugin.ts'
import { type ApiPath, describeRequest } from './_kube-path.ts'

/** An answer that is not a success. */
export interface Failure {
  readonly method: string
  readonly path: ApiPath
  readonly status: number
  readonly body: string
  /** The `Retry-After` header. */
  readonly retryAfter?: string | undefined
}

/** The members of `meta/v1 Status` that are looked at. */
interface Status {
  readonly message?: string
  readonly reason?: string
  readonly details?: {
    readonly name?: string
    readonly retryAfterSeconds?: number
    readonly causes?: readonly { readonly reason?: string; readonly field?: string }[]
  }
}

/**
 * Turns an answer of 300 and more into the error that tells the engine what to do.
 * @see https://kubernetes.io/docs/reference/using-api/api-concepts/ for the codes
 */
export const apiError = (failure: Failure): YarakError => {
  const status = parseStatus(failure.body)
  if (isOtherUid(failure.status, status)) {
    return new YarakError('gone', `${failed(failure)}: it was replaced by another of the same name`, {
      permanent: true,
      reason: 'changed',
    })
  }
  return (BY_STATUS[failure.status] ?? other)(failure, status)
}

const failed = ({ method, path }: Failure): string => `cannot ${describeRequest(method, path)}`

const said = (status: Status | undefined): string =>
  status?.message ? `: ${status.message.replaceAll(/\s+/g, ' ').slice(0, 300)}` : ''

const parseStatus = (body: string): Status | undefined => {
  try {
    const value = JSON.parse(body) as (Status & { kind?: string }) | null
    return value?.kind === 'Status' ? value : undefined
  } catch {
    return undefined
  }
}

/** A patch whose `metadata.uid` is of an earlier object is invalid; a delete with a precondition is a conflict. */
const isOtherUid = (code: number, status: Status | undefined): boolean =>
  (code === 422 && Boolean(status?.details?.causes?.some(({ field }) => field === 'metadata.uid'))) ||
  (code === 409 && /\bUID\b.*\bprecondition\b|\bprecondition\b.*\bUID\b/i.test(status?.message ?? ''))

type Reading = (failure: Failure, status: Status | undefined) => YarakError

const permanently =
  (reason: string): Reading =>
  (failure, status) =>
    new YarakError('failed', `${failed(failure)}${said(status)}`, { permanent: true, reason })

/** Only a 404 that names an object says that the object is gone; any other says that the path is not served. */
const notFound: Reading = (failure, status) =>
  status?.details?.name
    ? new YarakError('gone', `${failed(failure)}${said(status)}`, { permanent: true, reason: 'not-found' })
    : new YarakError('failed', `${failed(failure)}: the server does not serve ${failure.path.template}`, {
        permanent: true,
        reason: 'no-such-api',
      })

const forbidden: Reading = (failure, status) => {
  const lacked = lackedBy(failure, status)
  return new YarakError('refused', `${failed(failure)}: forbidden${grant(failure, lacked)}${said(status)}`, {
    permanent: true,
    reason: 'forbidden',
    ...(lacked && { lacks: `${lacked.verb} ${lacked.resource}` }),
  })
}

interface Right {
  readonly verb: string
  readonly resource: string
}

/** RBAC says `User "x" cannot get resource "pods"`; a refusal by admission needs no other Role. */
const lackedBy = ({ path }: Failure, status: Status | undefined): Right | undefined => {
  // An apply that would create something is a patch, and asks for `create` besides.
  const verb = / cannot (\w+) resource /.exec(status?.message ?? '')?.[1]
  if (path.resource === undefined || verb === undefined) return undefined
  return { verb, resource: path.subresource === undefined ? path.resource : `${path.resource}/${path.subresource}` }
}

const grant = ({ path }: Failure, lacked: Right | undefined): string => {
  if (!lacked) return ''
  const rule = { apiGroups: [path.group], resources: [lacked.resource], verbs: [lacked.verb] }
  return ` (to allow it, add ${JSON.stringify(rule)} to the rules of a ${path.namespace === undefined ? 'ClusterRole' : 'Role'} bound to the account)`
}

const unauthorized: Reading = (failure) =>
  new YarakError('refused', `${failed(failure)}: the server does not accept the credentials`, {
    permanent: true,
    reason: 'unauthorized',
  })

/**
 * Another writer may have come between, then a new try helps; not so when another manager owns the fields, or when what
 * is to be created is there.
 */
const conflict: Reading = (failure, status) => {
  if (status?.reason === 'AlreadyExists') return permanently('already-exists')(failure, status)
  return new YarakError('failed', `${failed(failure)}${said(status)}`, {
    permanent: Boolean(status?.details?.causes?.some(({ reason }) => reason === 'FieldManagerConflict')),
    reason: 'conflict',
  })
}

const tryLater: Reading = (failure, status) => {
  const seconds = Number(failure.retryAfter ?? status?.details?.retryAfterSeconds ?? Number.NaN)
  return new YarakError(failure.status > 500 ? 'unavailable' : 'failed', `${failed(failure)}${said(status)}`, {
    ...(Number.isFinite(seconds) && { retryAfter: seconds * 1_000 }),
    reason: failure.status === 429 ? 'too-many-requests' : String(failure.status),
  })
}

const other: Reading = (failure, status) =>
  failure.status >= 500 ? tryLater(failure, status) : permanently(String(failure.status))(failure, status)

const BY_STATUS: Readonly<Record<number, Reading>> = {
  400: permanently('bad-request'),
  401: unauthorized,
  403: forbidden,
  404: notFound,
  408: tryLater,
  409: conflict,
  422: permanently('invalid'),
  429: tryLater,
}
