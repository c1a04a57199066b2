import { describe, expect, it } from 'vitest'
import { given, talon } from './_talon.ts'

const STORES = new Set(['download', 'tcpdump', 'sysdig'])
const STORE = ', output: { target: "local:file", parameters: { destination: /evidence } }'

const load = (actionner: string, parameters: string) => {
  const action = `{ action: A, actionner: "kubernetes:${actionner}", parameters: { ${parameters} }${STORES.has(actionner) ? STORE : ''} }`
  const { rules, told } = talon(`- rule: R\n  actions:\n    - ${action}\n`)
  return { step: (given(rules) as readonly { with?: unknown }[])[0]?.with, told }
}

describe('what runs in a pod, from a file of Falco Talon', () => {
  it.each([
    ['exec', 'command: "ls -l $FD_NAME", shell: /bin/bash', { command: 'ls -l $FD_NAME', shell: '/bin/bash' }],
    ['script', 'script: "kill $PROC_PID"', { script: 'kill $PROC_PID' }],
    ['script', 'file: /etc/yarak/look.sh, shell: /bin/ash', { file: '/etc/yarak/look.sh', shell: '/bin/ash' }],
    ['download', 'file: "${FD_NAME}"', { file: '${FD_NAME}' }],
  ])('%s has its parameters, and the variables of the event: %s', (actionner, parameters, settings) => {
    expect(load(actionner, parameters)).toMatchObject({ step: { ...settings, event_variables: true } })
  })

  it.each([
    ['tcpdump', 'duration: 5, snaplen: 1024, image: issif/tcpdump:latest'],
    ['sysdig', 'duration: 30, buffer_size: 2048, scope: node, image: issif/sysdig:latest'],
  ])('%s has its parameters: %s', (actionner, parameters) => {
    const { step, told } = load(actionner, parameters)
    expect(step).toMatchObject({ duration: expect.any(Number), image: expect.stringMatching(/^issif/) })
    expect(told.filter((one) => one.includes('parameter'))).toEqual([])
  })

  it('a duration of 0 is 5 seconds', () => {
    expect(load('tcpdump', 'duration: 0').step).toEqual({ duration: 5 })
    expect(load('sysdig', 'duration: 0').step).toEqual({ duration: 5 })
  })
})
