/** What the HTTP input does with a request: who sends, the body within its limits, its events, the answer. */
import type { Socket } from 'node:net'
import { createPlaces, type EmitOptions, type InputIo, messageOf, YarakError, traceContext } from '../src/plugin.ts'
import { accepted, batchAnswer, batchBody, SKIPPED } from './_http-answers.ts'
import { type Answer, type Ask, type Each, refused, statusOf, wordOf } from './_http-ask.ts'
import { bounded, collect, decoded, eachIn } from './_http-body.ts'
import { checkBinary } from './_http-cloudevent.ts'
import { createBatch, createEmitItem, type EmitItem, known } from './_http-emit.ts'
import { type Intake, isOne, type Taken, takeIn, takeOne } from './_http-intake.ts'
import { createRate } from './_http-rate.ts'
import { createDoor, type Sender } from './_http-sender.ts'
import type { Settings } from './_http-settings.ts'
import { testEvent } from './_http-test-event.ts'

/**
 * Answers a request; never rejects.
 * @param route as spans have it, e.g. `/in/{token}`: never what the sender wrote
 */
export type Serve = (route: string, ask: Ask) => Promise<Answer>

/**
 * Answers a request that has plain headers only and came whole; undefined when it is no such simple case, or cannot be
 * taken at once.
 */
export type ServeOne = (body: Buffer, socket: Socket, token?: string) => Promise<Answer> | undefined

export interface Receiver {
  readonly events: Serve
  one(route: string): ServeOne
  /** Makes a test event, for who may send. */
  readonly test: Serve
}

/** How long a body waits for its turn, in milliseconds. */
const PATIENCE = 1_000
/** Batches that emit at the same time: more would only lengthen each other's turns. */
const BATCHES = 2

type Read = (each: Each, ask: Ask, intake: Intake) => Promise<Taken>

export const createReceiver = (settings: Settings, io: InputIo): Receiver => {
  const door = createDoor(settings)
  const places = createPlaces(settings.concurrency)
  const batches = createPlaces(BATCHES)
  const rate = createRate(settings.rate)
  const tell = createTeller(io)

  const place = async (): Promise<() => void> => {
    const free = io.signal.aborted ? undefined : await places.take(PATIENCE, io.signal)
    if (free) return free
    if (io.signal.aborted) throw new YarakError('closing', 'the gateway is stopping')
    throw new YarakError('overloaded', 'too many bodies are being read')
  }

  const verified = async (each: Each, ask: Ask): Promise<Each> => {
    const raw = await collect(each)
    door.verify(ask, raw)
    return eachIn(raw)
  }

  const emitterOf = (route: string, ask: Ask, sender: Sender): EmitItem =>
    createEmitItem(io, { options: emitOptions(route, ask, sender), unwrap: settings.unwrap, take: rate })

  /** For who is admitted with plain headers; undefined: nobody is. */
  const plainEmitterOf = (route: string, socket: Socket, token?: string): EmitItem | undefined => {
    const ask: Ask = { headers: {}, socket, each: NONE, ...(token !== undefined && { token }) }
    try {
      return emitterOf(route, ask, door.admit(ask))
    } catch {
      return undefined
    }
  }

  /** A connection is asked once who is at its other end; what stands in a path is looked at each time. */
  const one = (route: string): ServeOne => {
    const emitters = new WeakMap<Socket, EmitItem>()
    const emitterOn = (socket: Socket): EmitItem | undefined => {
      const emit = emitters.get(socket) ?? plainEmitterOf(route, socket)
      if (emit) emitters.set(socket, emit)
      return emit
    }
    return (body, socket, token) => {
      const text = body.toString('utf8')
      if (io.signal.aborted || !isOne(text)) return undefined
      const emit = token === undefined ? emitterOn(socket) : plainEmitterOf(route, socket, token)
      const free = emit && places.now()
      return free && answerOne(text, emit, free)
    }
  }

  const answerOne = async (body: string, emit: EmitItem, free: () => void): Promise<Answer> => {
    const taken = await takeOne({ body }, { emit })
    free()
    return answerTo(taken)
  }

  const receive = async (route: string, ask: Ask, read: Read): Promise<Taken> => {
    const sender = door.admit(ask)
    const sent = bounded(ask.each, ask.headers, settings)
    const free = await place()
    try {
      const each = decoded(sender.unproven ? await verified(sent, ask) : sent, ask.headers, settings.maxBody)
      const emit = emitterOf(route, ask, sender)
      return await read(each, ask, { emit, batch: createBatch(emit, batches), maxLine: settings.maxLine })
    } finally {
      free()
    }
  }

  /** An error that `emit` rejected with is counted; one from before it is counted here. */
  const refuse = (thrown: unknown, counted: boolean, more: object = {}): Answer => {
    const error = known(thrown)
    if (!counted) io.count('rejected', error.reason === 'forbidden' ? error.code : error.reason)
    tell(error)
    return refused(error, more, statusOf(error) === 401 ? door.challenge : {})
  }

  const answerTo = (taken: Taken): Answer => {
    if ('receipt' in taken) return taken.receipt ? accepted(taken.receipt.id) : SKIPPED
    if ('refused' in taken) return refuse(taken.refused, true)
    const { tally, broken } = taken
    if (broken !== undefined) return refuse(broken, false, batchBody(tally))
    const worst = tally.later ?? tally.first
    if (worst) tell(worst)
    return batchAnswer(tally)
  }

  const serve =
    (read: Read): Serve =>
    (route, ask) =>
      receive(route, ask, read).then(answerTo, (error: unknown) => refuse(error, false))

  return {
    one,
    events: serve((each, { headers }, intake) => {
      checkBinary(headers)
      return takeIn(each, headers['content-type'], intake)
    }),
    test: serve(async (each, _ask, intake) => {
      await collect(each)
      return takeOne({ body: JSON.stringify(testEvent(new Date())) }, intake)
    }),
  }
}

const NONE: Each = async () => {}

/** A CloudEvent in the binary form names its trace in `ce-` headers; that of the request itself is nearer. */
const contextOf = (headers: Ask['headers']): Readonly<Record<string, string>> => {
  const own = traceContext((name) => headers[name])
  const [traceparent, tracestate] = [headers['ce-traceparent'], headers['ce-tracestate']]
  if (typeof traceparent !== 'string' || Object.keys(own).some((name) => name !== 'baggage')) return own
  return { ...own, traceparent, ...(typeof tracestate === 'string' && { tracestate }) }
}

const emitOptions = (route: string, { headers }: Ask, { authenticated, client }: Sender): EmitOptions => ({
  headers: contextOf(headers),
  ...(authenticated !== undefined && { authenticated }),
  span: {
    name: `POST ${route}`,
    kind: 'server',
    attributes: {
      'http.request.method': 'POST',
      'http.route': route,
      'http.response.status_code': 200,
      ...(client !== undefined && { 'client.address': client }),
    },
  },
})

/** Refusals that are logged one by one; after them every thousandth. */
const LOGGED = 10

const createTeller = ({ log }: InputIo): ((error: YarakError) => void) => {
  let count = 0
  return (error) => {
    if (error.code === 'failed') return log.error('an event could not be taken', { error: messageOf(error) })
    if (++count > LOGGED && count % 1_000 !== 0) return
    log.warn('an event was refused', { code: wordOf(error), error: error.message, refused: count })
  }
}
