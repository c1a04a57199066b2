import { expect, test } from 'vitest'
import { mosquitto } from './mosquitto.ts'
import { run } from './tools.ts'
import { describePart, running } from './vitest.ts'

describePart(mosquitto, () => {
  const at = running(mosquitto)
  const env = () => ({ ...process.env, LD_LIBRARY_PATH: at().libraryPath })
  const flags = (port: number, topic: string) => ['-h', at().host, '-p', String(port), '-t', topic]

  test.each(['mqttv311', 'mqttv5'])('keeps a message for who comes later, over %s', async (version) => {
    const { port, publish, subscribe } = at()
    const session = [...flags(port, version), '-V', version, '-q', '1']
    await run(publish, [...session, '-r', '-m', '{"rule":"x"}'], { env: env() })
    expect(await run(subscribe, [...session, '-C', '1'], { env: env() })).toBe('{"rule":"x"}\n')
  })

  test('asks for a password on its second listener', async () => {
    const { publish, securedPort, username, password } = at()
    const send = (login: string[]) =>
      run(publish, [...flags(securedPort, 'falco'), ...login, '-m', 'x'], { env: env() })
    await expect(send([])).rejects.toThrow('not authorised')
    await expect(send(['-u', username, '-P', 'wrong'])).rejects.toThrow('not authorised')
    await expect(send(['-u', username, '-P', password])).resolves.toBe('')
  })
})
