import { describe, expect, it } from 'vitest'
import { inputFindings } from '../../src/doctor/inputs.ts'
import type { KafkaDriver } from '../../src/resources/kafka.ts'
import { closedPort } from '../cli/_kit.ts'
import { createFakeKafka } from '../inputs/_fake-driver.ts'
import { folder, lines, onPatient } from './_kit.ts'

const files = folder()

const found = (inputs: object, more: object = {}, driver?: KafkaDriver) =>
  onPatient({ inputs, ...more }, async (patient) => lines(await inputFindings(patient, driver)))

describe('Kafka', () => {
  const kafka = (topics: readonly string[], more: object = {}) => ({ kafka: { brokers: ['b:9092'], topics, ...more } })

  it('brokers that have the topics; a driver that tells no more', async () => {
    const fake = createFakeKafka({ falco: 1, 'falco-eu': 1, other: 1 })
    expect(await found(kafka(['falco', '/^falco-.+$/']), {}, fake.driver)).toEqual([
      'ok kafka: the brokers have falco, falco-eu',
      'skip kafka group: this driver does not tell what a group has committed',
    ])
  })

  it('brokers that lack one', async () => {
    const fake = createFakeKafka({ other: 1 })
    const [one] = await onPatient({ inputs: kafka(['falco']) }, (patient) => inputFindings(patient, fake.driver))
    expect(one).toMatchObject({
      status: 'fail',
      message: 'the brokers have no topic falco, or do not show it',
      remedy: expect.stringContaining('kafka-topics.sh --create --topic falco') as string,
    })
  })

  it('brokers that are not there', async () => {
    const fake = createFakeKafka({})
    fake.down = true
    expect(await found(kafka(['falco']), {}, fake.driver)).toEqual([
      'fail kafka: Kafka at broker:9092: connection refused',
    ])
  })

  it('brokers that are not there, by the real driver, within its time', async () => {
    const inputs = { kafka: { brokers: [`127.0.0.1:${await closedPort()}`], topics: ['falco'] } }
    const told = await onPatient({ inputs }, (patient) => inputFindings(patient), { timeout: 300 })
    expect(lines(told)).toEqual([expect.stringMatching(/^fail kafka: (there was no answer within 0.3 s|Kafka at )/)])
  })

  const behind = async (committed: number | undefined) => {
    const fake = createFakeKafka({ falco: 1 })
    for (let i = 0; i < 5; i++) fake.append('falco', {})
    const driver: KafkaDriver = (connection, io) => ({
      ...fake.driver(connection, io),
      ends: () => Promise.resolve([{ topic: 'falco', partition: 0, offset: 50_000 }]),
      committed: () =>
        Promise.resolve(committed === undefined ? [] : [{ topic: 'falco', partition: 0, offset: committed }]),
    })
    return (await found(kafka(['falco'], { groupId: 'g' }), {}, driver))[1]
  }

  it.each([
    [49_990, 'ok kafka group: g is 10 records behind'],
    [1, 'warn kafka group: g is 49999 records behind'],
    [undefined, 'ok kafka group: g has committed nothing yet: it begins as from: says'],
  ])('a group that has committed %s of 50000', async (committed, expected) =>
    expect(await behind(committed)).toBe(expected),
  )
})

describe('files', () => {
  it('one that can be read, one that is not there yet, one whose folder is not', async () => {
    files.write('a.log', '')
    const path = ['a.log', 'b.log', 'none/c.log'].map((name) => files.at(name))
    expect(await found({ file: { path } })).toEqual([
      `ok file: ${path[0]} can be read`,
      `warn file: ${path[1]} is not there yet: it is waited for`,
      `warn file: ${path[2]} is not there yet, nor its folder: it is waited for`,
    ])
  })

  it('a pattern that matches, one that does not', async () => {
    files.write('a.log', '')
    files.write('b.log', '')
    expect(await found({ file: { path: [files.at('*.log'), files.at('*.json')] } })).toEqual([
      `ok file: ${files.at('*.log')} matches 2, all readable`,
      `warn file: ${files.at('*.json')} matches no file yet`,
    ])
  })
})

describe('HTTP', () => {
  it('says where it takes events', async () => {
    const more = { listen: ['127.0.0.1:2801', 'unix:/run/yarak.sock'] }
    expect(await found({ http: { path: '/falco' } }, more)).toEqual([
      'ok http: takes events at http://127.0.0.1:2801/falco, unix:/run/yarak.sock/falco',
    ])
  })

  it('is served by nobody', async () => {
    expect(await found({ http: {} }, { listen: { address: '127.0.0.1:0', inputs: [] } })).toEqual([
      'fail http: no listener serves it',
    ])
  })
})

it('of an input that is nothing of these nothing is looked at', async () => {
  expect(await found({ stdin: {} })).toEqual(['skip stdin: nothing of it can be looked at'])
})
