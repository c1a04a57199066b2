import { expect, test } from 'vitest'
import { converse } from './launch.ts'
import { rabbitmq } from './rabbitmq.ts'
import { describePart, running } from './vitest.ts'

describePart(rabbitmq, () => {
  const at = running(rabbitmq)

  const api = async (method: string, path: string, body: object): Promise<Response> => {
    const { managementUrl, username, password } = at()
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
    const headers = { authorization, 'content-type': 'application/json' }
    return fetch(`${managementUrl}/api/${path}`, { method, headers, body: JSON.stringify(body) })
  }

  test('speaks AMQP 0-9-1', async () => {
    const heard = await converse(at().port, Buffer.from('AMQP\0\0\x09\x01'), (bytes) => bytes.includes('RabbitMQ'))
    expect(heard.readUInt8(0)).toBe(1)
    expect(heard.toString('latin1')).toContain('3.10.8')
  })

  test('routes a message to a queue', async () => {
    expect((await api('PUT', 'queues/%2F/events', { durable: true })).status).toBe(201)
    const message = { routing_key: 'events', payload: '{"rule":"x"}', payload_encoding: 'string', properties: {} }
    const published = await api('POST', 'exchanges/%2F/amq.default/publish', message)
    expect(await published.json()).toEqual({ routed: true })
    const got = await api('POST', 'queues/%2F/events/get', { count: 1, ackmode: 'ack_requeue_false', encoding: 'auto' })
    expect(await got.json()).toMatchObject([{ payload: '{"rule":"x"}', message_count: 0 }])
  })
})
