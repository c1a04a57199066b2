/** The variables in commands, scripts and file names of Talon's rules. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createTemplates } from '../../src/template.ts'
import { anEvent } from '../../src/testing.ts'
import { given, talon } from './_talon.ts'

const read = (actionner: string, parameters: Record<string, unknown>, contexts: readonly string[] = []) => {
  const output = { target: 'local:file', parameters: { destination: '/e' } }
  const action = {
    action: 'Act now',
    actionner,
    parameters,
    additional_contexts: contexts,
    ...(actionner === 'kubernetes:download' && { output }),
  }
  const { rules, told } = talon(JSON.stringify([{ rule: 'My rule', match: { rules: ['x'] }, actions: [action] }]), {
    stores: { file: { dir: '/e' } },
  })
  const [step] = given(rules) as { with: Record<string, unknown> }[]
  return { settings: step?.with, told: told.map((line) => line.replace(/^\S+ /, '')) }
}

describe('variables of the event', () => {
  it.each([
    ['kubernetes:exec', { command: 'kill -9 $PROC_PID; echo ${K8S_POD_NAME} $RULE $TAGS' }],
    ['kubernetes:script', { script: 'for i in 1 2; do echo "$i $PROC_NAME"; done' }],
    ['kubernetes:download', { file: '${FD_NAME}' }],
  ])('are left to %s, which knows them', (actionner, parameters) => {
    const { settings, told } = read(actionner, parameters)
    expect(told).toEqual([])
    expect(settings).toEqual({ ...parameters, event_variables: true })
  })

  it('mean nothing to other actions', () => {
    expect(read('test:anything', { text: '$PROC_NAME' }).settings).toEqual({ text: '$PROC_NAME' })
  })
})

describe('variables of contexts and of the rule', () => {
  it('come to a script as arguments', () => {
    const script = 'echo $NODE_TOPOLOGY_ZONE ${AWS_REGION} ${FALCO-TALON_RULE} $PROC_NAME'
    expect(read('kubernetes:script', { script }, ['k8snode', 'aws'])).toEqual({
      settings: {
        script:
          'NODE_TOPOLOGY_ZONE=${1}; AWS_REGION=${2}; FALCO_TALON_RULE=${3}; shift 3\n' +
          'echo $NODE_TOPOLOGY_ZONE ${AWS_REGION} ${FALCO_TALON_RULE} $PROC_NAME',
        args: [
          '{{ context.k8snode.topology.zone | default: "" }}',
          '{{ context.aws.region | default: "" }}',
          'My rule',
        ],
        event_variables: true,
      },
      told: [],
    })
  })

  it('are put into the name of a file, where nothing reads it', () => {
    const { settings } = read('kubernetes:download', { file: '/var/{{x}}/$NODE_HOSTNAME/${FALCO-TALON_ACTION}' }, [
      'k8snode',
    ])
    const scope = { event: anEvent({}), context: { k8snode: { hostname: 'node-1' } } }
    const { file } = settings as { file: string }
    expect(createTemplates().compile(file).render(scope)).toBe('/var/{{x}}/node-1/Act now')
  })

  it('no value is read by a shell', async () => {
    const { settings } = read('kubernetes:script', { script: 'printf %s "$NODE_ROLE|$AWS_REGION"' }, ['k8snode', 'aws'])
    const { script = '' } = settings as { script?: string }
    const value = fc.string({ maxLength: 20 }).map((text) => `$(echo x)\`;'"${text.replaceAll('\0', '')}`)
    await fc.assert(
      fc.asyncProperty(value, value, async (role, region) => {
        const { stdout } = await promisify(execFile)('/bin/sh', ['-c', script, 'yarak', role, region])
        expect(stdout).toBe(`${role.toWellFormed()}|${region.toWellFormed()}`)
      }),
      { numRuns: 10 },
    )
  })

  it('of a context that is not asked for are none', () => {
    const { settings, told } = read('kubernetes:exec', { command: 'echo $NODE_HOSTNAME' })
    expect(settings).toMatchObject({ command: 'echo $NODE_HOSTNAME' })
    expect(told).toEqual([expect.stringContaining('$NODE_HOSTNAME is not of the event')])
  })
})

describe('contexts of a function', () => {
  it.each([
    ['aws:lambda', { aws_lambda_name: 'f' }],
    ['gcp:function', { gcp_function_name: 'f' }],
  ])('go along with the event of %s, named as Falco Talon names them', (actionner, parameters) => {
    const { settings, told } = read(actionner, parameters, ['aws', 'k8snode'])
    expect(told).toEqual([])
    expect(settings).toEqual({
      ...parameters,
      context: {
        'aws.instance_profile_arn': '{{ context.aws.instance_profile_arn | default: "" }}',
        'aws.instance_profile_id': '{{ context.aws.instance_profile_id | default: "" }}',
        'aws.region': '{{ context.aws.region | default: "" }}',
        'node.hostname': '{{ context.k8snode.hostname | default: "" }}',
        'node.instancetype': '{{ context.k8snode.instancetype | default: "" }}',
        'node.role': '{{ context.k8snode.role | default: "" }}',
        'node.topology.region': '{{ context.k8snode.topology.region | default: "" }}',
        'node.topology.zone': '{{ context.k8snode.topology.zone | default: "" }}',
        'node.spec.providerid': '{{ context.k8snode.spec.providerid | default: "" }}',
      },
    })
    expect(read(actionner, parameters).settings).toEqual(parameters)
  })
})

describe('what cannot be translated is told', () => {
  it.each([
    ['kubernetes:exec', { command: 'ls $HOME' }, '$HOME is not of the event'],
    ['kubernetes:download', { file: '$HOME/x' }, 'here it stands for nothing'],
    ['kubernetes:exec', { command: 'X=1; echo $X $1 $? $lower; read -r ANSWER; echo $ANSWER' }, undefined],
  ])('%s: %j', (actionner, parameters, message) => {
    const { told } = read(actionner, parameters)
    expect(told).toEqual(message === undefined ? [] : [expect.stringContaining(message)])
    for (const line of told) expect(line).toMatch(/^warning /)
  })

  it.each([
    ['kubernetes:exec', 'k8snod', 'additional_contexts: k8snod is not a known context; did you mean `k8snode`?'],
    [
      'kubernetes:script',
      'k8snode',
      'additional_contexts: k8snode: a script of a `file` is read at each run and gets none of its variables; write it as `script`',
    ],
    ['aws:lambda', 'aws', 'additional_contexts: aws: the `payload` is sent instead of the event and its context'],
    ['kubernetes:cordon', 'aws', 'additional_contexts means nothing to kubernetes:cordon and is ignored'],
  ])('%s with the context %s', (actionner, context, message) => {
    const parameters = {
      'aws:lambda': { aws_lambda_name: 'f', payload: { a: 1 } },
      'kubernetes:exec': { command: 'ls' },
      'kubernetes:script': { file: '/s.sh' },
    }[actionner]
    const { told } = read(actionner, parameters ?? {}, [context])
    expect(told).toEqual([`warning rule "My rule": action "Act now": ${message}`])
  })
})
