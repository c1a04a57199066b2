/** Falco's fields: which are known, which hold addresses, which say what an event is about. */
import { parseName, RESERVED } from '../names.ts'
import { editDistance, nearest } from '../suggest.ts'

/**
 * The fields of Falco and of its plugins container, k8smeta, k8saudit and json, by class.
 * Source: the filter checks of falcosecurity/libs and the READMEs of falcosecurity/plugins, July 2026.
 */
const FIELDS: Readonly<Record<string, string>> = {
  container:
    'cni.json duration full_id healthcheck host_ipc host_network host_pid id image image.digest image.id ' +
    'image.repository image.tag ip label labels liveness_probe mount mount.dest mount.mode mount.propagation ' +
    'mount.rdwr mount.source mounts name privileged readiness_probe start_ts type',
  evt:
    'abspath abspath.dst abspath.src arg args around asynctype buffer buflen buflen.file buflen.file.in ' +
    'buflen.file.out buflen.in buflen.net buflen.net.in buflen.net.out buflen.out category count count.error ' +
    'count.error.file count.error.memory count.error.net count.error.other count.exit count.procinfo ' +
    'count.threadinfo cpu datetime datetime.s deltatime deltatime.ns deltatime.s dir failed hostname info io_dir ' +
    'is_async is_io is_io_read is_io_write is_open_create is_open_exec is_open_read is_open_write is_syslog ' +
    'is_wait latency latency.human latency.ns latency.quantized latency.s num outputtime plugininfo pluginname ' +
    'rawarg rawres rawtime rawtime.ns rawtime.s reltime reltime.ns reltime.s res source time time.iso8601 time.s ' +
    'type type.is wait_latency',
  fd:
    'cip cip.name cnet connected containerdirectory containername cport cproto dev dev.major dev.minor directory ' +
    'filename ino ip is_lower_layer is_server is_upper_layer l4proto lip lip.name lnet lport lproto name ' +
    'name_changed nameraw net num port proto rip rip.name rnet rport rproto sip sip.name snet sockfamily sport ' +
    'sproto type typechar types uid',
  fdlist: 'cips cports names nums sips sports',
  fs: 'path path.name path.nameraw path.source path.sourceraw path.target path.targetraw',
  group: 'gid name',
  jevt: 'obj rawtime value',
  json: 'obj rawtime value',
  k8s:
    'deployment.id deployment.label deployment.labels deployment.name ns.id ns.label ns.labels ns.name ' +
    'pod.cni.json pod.full_sandbox_id pod.id pod.ip pod.label pod.labels pod.name pod.sandbox_id pod.uid rc.id ' +
    'rc.label rc.labels rc.name rs.id rs.label rs.labels rs.name svc.id svc.label svc.labels svc.name',
  k8smeta:
    'deployment.label deployment.labels deployment.name deployment.uid ns.label ns.labels ns.name ns.uid pod.ip ' +
    'pod.label pod.labels pod.name pod.uid rc.label rc.labels rc.name rc.uid rs.label rs.labels rs.name rs.uid ' +
    'svc.label svc.labels svc.name svc.uid',
  ka:
    'auditid auth.decision auth.openshift.decision auth.openshift.username auth.reason cluster.name impuser.name ' +
    'req.binding.role req.binding.subject.has_name req.binding.subjects req.binding.subjects.group_names ' +
    'req.binding.subjects.serviceaccount_names req.binding.subjects.serviceaccount_ns_names ' +
    'req.binding.subjects.user_names req.configmap.name req.configmap.obj req.container.host_network ' +
    'req.container.image req.container.image.repository req.container.privileged ' +
    'req.pod.containers.add_capabilities req.pod.containers.allow_privilege_escalation req.pod.containers.args ' +
    'req.pod.containers.command req.pod.containers.eff_run_as_group req.pod.containers.eff_run_as_user ' +
    'req.pod.containers.host_port req.pod.containers.image req.pod.containers.image.repository ' +
    'req.pod.containers.name req.pod.containers.privileged req.pod.containers.proc_mount ' +
    'req.pod.containers.read_only_fs req.pod.containers.run_as_group req.pod.containers.run_as_user ' +
    'req.pod.ephemeralContainers.add_capabilities req.pod.ephemeralContainers.allow_privilege_escalation ' +
    'req.pod.ephemeralContainers.args req.pod.ephemeralContainers.command ' +
    'req.pod.ephemeralContainers.eff_run_as_group req.pod.ephemeralContainers.eff_run_as_user ' +
    'req.pod.ephemeralContainers.image req.pod.ephemeralContainers.image.repository ' +
    'req.pod.ephemeralContainers.name req.pod.ephemeralContainers.privileged ' +
    'req.pod.ephemeralContainers.proc_mount req.pod.ephemeralContainers.read_only_fs ' +
    'req.pod.ephemeralContainers.run_as_group req.pod.ephemeralContainers.run_as_user req.pod.fs_group ' +
    'req.pod.host_ipc req.pod.host_network req.pod.host_pid req.pod.initContainers.add_capabilities ' +
    'req.pod.initContainers.allow_privilege_escalation req.pod.initContainers.args req.pod.initContainers.command ' +
    'req.pod.initContainers.eff_run_as_group req.pod.initContainers.eff_run_as_user ' +
    'req.pod.initContainers.host_port req.pod.initContainers.image req.pod.initContainers.image.repository ' +
    'req.pod.initContainers.name req.pod.initContainers.privileged req.pod.initContainers.proc_mount ' +
    'req.pod.initContainers.read_only_fs req.pod.initContainers.run_as_group req.pod.initContainers.run_as_user ' +
    'req.pod.run_as_group req.pod.run_as_user req.pod.supplemental_groups req.pod.volumes.flexvolume_driver ' +
    'req.pod.volumes.hostpath req.pod.volumes.volume_type req.role.rules req.role.rules.apiGroups ' +
    'req.role.rules.nonResourceURLs req.role.rules.resources req.role.rules.verbs req.service.ports ' +
    'req.service.type req.volume.hostpath resp.name response.code response.reason security.pod.violations ' +
    'sourceips stage target.name target.namespace target.pod.name target.resource target.subresource uri uri.param ' +
    'user.groups user.name useragent validations.admission.policy.failure verb',
  proc:
    'aargs acmdline aenv aexe aexepath aname apid args cmdlenargs cmdline cmdnargs cwd duration env exe exe_ino ' +
    'exe_ino.ctime exe_ino.ctime_duration_pidns_start exe_ino.ctime_duration_proc_start exe_ino.mtime exeline ' +
    'exepath fdlimit fdopencount fdusage is_container_healthcheck is_container_liveness_probe ' +
    'is_container_readiness_probe is_exe_from_memfd is_exe_lower_layer is_exe_upper_layer is_exe_writable ' +
    'is_pgid_leader is_sid_leader is_vpgid_leader loginshellid name nchilds nthreads pcmdline pexe pexepath pgid ' +
    'pgid.exe pgid.exepath pgid.name pid pid.ts pidns_init_start_ts pname ppid ppid.duration ppid.ts pvpid sid ' +
    'sid.exe sid.exepath sname stderr.name stderr.type stdin.name stdin.type stdout.name stdout.type tty vmrss ' +
    'vmsize vmswap vpgid vpgid.exe vpgid.exepath vpgid.name vpid',
  syscall: 'type',
  thread:
    'cap_effective cap_inheritable cap_permitted cgroup cgroups cpu cpu.system cpu.user exectime ismain nametid ' +
    'pfmajor pfminor tid totexectime vmrss vmrss.b vmsize vmsize.b vtid',
  user: 'homedir loginname loginuid name shell uid',
}

const CLASSES = Object.keys(FIELDS)

const KNOWN: ReadonlySet<string> = new Set(
  Object.entries(FIELDS).flatMap(([name, rest]) => rest.split(' ').map((one) => `${name}.${one}`)),
)

/** Names that go on as the event has it: `evt.arg.flags`, `k8s.pod.label.app`. */
const OPEN = /^(?:evt\.(?:raw)?arg|[\w.]+\.label)\./

/**
 * The known name that a wrong one was meant to be; undefined for a known one, and for one that resembles none, as a new
 * Falco or a plugin may bring it. `fields["..."]` is always taken as it is.
 * @example intendedField('k8s.namespace.name') // 'k8s.ns.name'
 */
export const intendedField = (written: string): string | undefined => {
  const [name = ''] = written.split('[', 1)
  const [first = '', ...rest] = name.split('.')
  if (RESERVED.includes(first) || KNOWN.has(name) || OPEN.test(name)) return undefined
  if (rest.length === 0) return nearest(name, RESERVED)
  if (Object.hasOwn(FIELDS, first)) return nearestIn(first, name)
  const meant = CLASSES.filter((one) => editDistance(first, one) === 1).map((one) => [one, ...rest].join('.'))
  return meant.find((one) => KNOWN.has(one))
}

const nearestIn = (kind: string, name: string): string | undefined => {
  const limit = name.length < 12 ? 1 : 2
  let best: string | undefined
  let least = limit + 1
  for (const one of (FIELDS[kind] ?? '').split(' ')) {
    const known = `${kind}.${one}`
    if (kind.startsWith('k8s') && (abbreviates(known, name) || abbreviates(name, known))) return known
    if (Math.abs(known.length - name.length) > limit) continue
    const distance = editDistance(name, known)
    if (distance < least) [best, least] = [known, distance]
  }
  return best
}

/** Part by part: the same, or a shortening that keeps the first letter: `k8s.ns.name` for `k8s.namespace.name`. */
const abbreviates = (short: string, long: string): boolean => {
  const parts = long.split('.')
  const shorts = short.split('.')
  return shorts.length === parts.length && shorts.every((part, i) => isShortening(part, parts[i] ?? ''))
}

const isShortening = (short: string, long: string): boolean => {
  if (short[0] !== long[0]) return false
  let at = 0
  for (const char of long) if (char === short[at]) at++
  return at === short.length
}

/** The field that a name reaches: `fields["k8s.ns.name"]` is `k8s.ns.name`. */
export const fieldName = (name: string): string => {
  if (!name.startsWith('fields')) return name
  const [root, ...rest] = parseName(name)
  return root === 'fields' && rest.length > 0 ? rest.join('.') : name
}

/** Fields that say what an event is about; a tool that does not know writes `""` or `N/A` there. */
export const isIdentity = (name: string): boolean => /^(?:k8s|k8smeta|container|ka\.target)\./.test(fieldName(name))

/** Fields that are absent whenever the event is not about a container or a Kubernetes object. */
export const isOptionalIdentity = (name: string): boolean => /^(?:k8s|k8smeta|container|ka)\./.test(fieldName(name))

/** Fields that hold IP addresses, by their name: `fd.sip`, `fd.snet`, `container.ip`, `ka.sourceips`, `client_addr`. */
export const isAddressField = (name: string): boolean =>
  /(?:ips?|net|addr(?:ess(?:es)?)?)$/i.test(fieldName(name).replace(/\[.*$/, ''))

const ENDS = ['c', 's', 'l', 'r'] as const

/** Fields that Falco has only in conditions, and the ones in an event that answer for them. */
const ANSWERED_BY: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ['fd.ip', ENDS.map((end) => `fd.${end}ip`)],
  ['fd.net', ENDS.map((end) => `fd.${end}ip`)],
  ['fd.port', ENDS.map((end) => `fd.${end}port`)],
  ['fd.proto', ENDS.map((end) => `fd.${end}proto`)],
  ...ENDS.map((end) => [`fd.${end}net`, [`fd.${end}ip`]] as const),
])

/** The fields to ask when an event does not have this one: either end of a connection for `fd.ip`. */
export const answeredBy = (name: string): readonly string[] => ANSWERED_BY.get(fieldName(name)) ?? []
