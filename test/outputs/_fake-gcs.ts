/** Uploads to Google Cloud Storage, as the reference of its JSON API has them. */
import { createHash } from 'node:crypto'
import type { Answer, RecordedRequest } from '../../src/testing.ts'

interface Stored {
  readonly body: string
  readonly about: Readonly<Record<string, unknown>>
}

interface Session {
  readonly name: string
  readonly about: Readonly<Record<string, unknown>>
  body: string
  done: boolean
}

const QUANTUM = 256 * 1024

/** Bytes of a text. */
const sizeOf = (body: string): number => Buffer.byteLength(body)

const fault = (code: number, message: string): Answer => ({ status: code, body: { error: { code, message } } })

/** What a finished object answers. */
const resource = (name: string, body: string): Answer => ({
  body: {
    kind: 'storage#object',
    name,
    size: String(sizeOf(body)),
    md5Hash: createHash('md5').update(body).digest('base64'),
  },
})

export const createFakeGcs = (authorization: string) => {
  const objects = new Map<string, Stored>()
  const sessions = new Map<string, Session>()
  const state = {
    /** Looked at first: what it gives is the answer. */
    override: undefined as ((request: RecordedRequest) => Answer | 'hang' | Error | undefined) | undefined,
    /** Keeps at most so many bytes of one request, as the service may. */
    keeps: Infinity,
  }

  const answer = (request: RecordedRequest): Answer | 'hang' | Error => {
    const given = state.override?.(request)
    if (given !== undefined) return given
    const { pathname, searchParams } = new URL(request.url)
    const session = sessions.get(searchParams.get('upload_id') ?? '')
    if (session)
      return request.method === 'DELETE' ? cancel(searchParams.get('upload_id') ?? '') : take(session, request)
    if (pathname !== '/upload/storage/v1/b/evidence/o' || request.method !== 'POST') return fault(404, 'Not Found')
    if (request.headers.authorization !== authorization) return fault(401, 'Invalid Credentials')
    const name = searchParams.get('name') ?? ''
    return searchParams.get('uploadType') === 'resumable' ? begin(name, request) : media(name, request)
  }

  const media = (name: string, { body, headers }: RecordedRequest): Answer => {
    objects.set(name, { body, about: { contentType: headers['content-type'] } })
    return resource(name, body)
  }

  const begin = (name: string, { body }: RecordedRequest): Answer => {
    const id = `session-${sessions.size + 1}`
    sessions.set(id, { name, about: JSON.parse(body) as Stored['about'], body: '', done: false })
    const location = `https://storage.googleapis.com/upload/storage/v1/b/evidence/o?uploadType=resumable&upload_id=${id}`
    return { headers: { location } }
  }

  const cancel = (id: string): Answer => {
    sessions.delete(id)
    return { status: 499 }
  }

  const soFar = ({ body }: Session): Answer => ({
    status: 308,
    headers: body.length > 0 ? { range: `bytes=0-${sizeOf(body) - 1}` } : {},
  })

  const take = (session: Session, { method, headers, body }: RecordedRequest): Answer => {
    const range = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(headers['content-range'] ?? '')
    if (method !== 'PUT' || !range) return fault(400, 'Bad Request')
    const [, from, to, total = '*'] = range
    if (session.done) return resource(session.name, session.body)
    if (from !== undefined) {
      if (Number(from) !== sizeOf(session.body)) return fault(503, 'not where the upload is')
      if (Number(to) - Number(from) + 1 !== sizeOf(body)) return fault(400, 'the range is not that of the body')
      if (total === '*' && sizeOf(body) % QUANTUM !== 0) return fault(400, 'not a multiple of 256 KiB')
      session.body += body.slice(0, state.keeps)
    }
    if (total === '*' || sizeOf(session.body) !== Number(total)) return soFar(session)
    const hash = `md5=${createHash('md5').update(session.body).digest('base64')}`
    if (headers['x-goog-hash'] !== undefined && headers['x-goog-hash'] !== hash) return fault(400, 'the checksum')
    session.done = true
    objects.set(session.name, { body: session.body, about: session.about })
    return resource(session.name, session.body)
  }

  return { objects, sessions, answer, state }
}
