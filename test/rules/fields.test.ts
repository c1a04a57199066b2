import { describe, expect, it } from 'vitest'
import {
  answeredBy,
  fieldName,
  intendedField,
  isAddressField,
  isIdentity,
  isOptionalIdentity,
} from '../../src/rules/fields.ts'

describe('a field', () => {
  it.each([
    ['k8s.namespace.name', 'k8s.ns.name'],
    ['k8s.deploy.name', 'k8s.deployment.name'],
    ['k8s.service.name', 'k8s.svc.name'],
    ['k8smeta.namespace.name', 'k8smeta.ns.name'],
    ['proc.nmae', 'proc.name'],
    ['proc.anam[2]', 'proc.aname'],
    ['container.image.repositry', 'container.image.repository'],
    ['ka.target.ressource', 'ka.target.resource'],
    ['usr.name', 'user.name'],
    ['sorce', 'source'],
    ['outputs', 'output'],
  ])('%s was meant to be %s', (written, meant) => {
    expect(intendedField(written)).toBe(meant)
  })

  it.each([
    'proc.name',
    'proc.aname[2]',
    'proc.pgid.exepath',
    'evt.arg.flags',
    'evt.arg[0]',
    'evt.rawarg.path',
    'k8s.ns.name',
    'k8s.pod.label.app',
    'k8s.pod.label[app.kubernetes.io/name]',
    'k8s.cluster.name',
    'fd.sip',
    'ka.req.pod.containers.image',
    'ka.req.pod.initContainers.image.repository',
    'json.value[/a/b]',
    'rule',
    'steps.mark.outcome',
    'target.pod',
    'fields["k8s.namespace.name"]',
    'my.plugin.field',
    'ct.user',
    'customer',
    'proc.unheard_of',
    'prco.unheard_of',
  ])('%s is taken as it is', (written) => {
    expect(intendedField(written)).toBeUndefined()
  })

  it('in brackets is the same field', () => {
    expect(fieldName('fields["k8s.ns.name"]')).toBe('k8s.ns.name')
    expect(fieldName('k8s.ns.name')).toBe('k8s.ns.name')
    expect(fieldName('fields')).toBe('fields')
  })

  it('may say what an event is about', () => {
    const names = ['k8s.ns.name', 'k8smeta.pod.uid', 'container.id', 'ka.target.name', 'fields["k8s.ns.name"]']
    expect(names.every(isIdentity)).toBe(true)
    expect([...names, 'ka.verb'].every(isOptionalIdentity)).toBe(true)
    expect(['ka.verb', 'proc.name', 'k8s', 'containers.id'].some(isIdentity)).toBe(false)
    expect(['proc.name', 'rule', 'target.pod'].some(isOptionalIdentity)).toBe(false)
  })

  it('holds addresses when its name says so', () => {
    const names = ['fd.sip', 'fd.snet', 'fd.net', 'container.ip', 'k8s.pod.ip', 'ka.sourceips', 'client_addr']
    expect([...names, 'fields["src-address"]', 'fdlist.sips[0]'].every(isAddressField)).toBe(true)
    expect(['fd.name', 'proc.name', 'fd.sip.name', 'fd.port', 'addressee'].some(isAddressField)).toBe(false)
  })

  it('of either end is answered by those of the ends', () => {
    expect(answeredBy('fd.ip')).toEqual(['fd.cip', 'fd.sip', 'fd.lip', 'fd.rip'])
    expect(answeredBy('fields["fd.snet"]')).toEqual(['fd.sip'])
    expect(answeredBy('fd.sip')).toEqual([])
  })
})
