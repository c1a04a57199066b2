/** Alerts as Falco's default rules emit them, some 1.2 KiB each. */

const RULES = ['Terminal shell in container', 'Read sensitive file untrusted', 'Contact K8S API Server From Container']

/** @example anAlert(7).length // about 1,200 */
export const anAlert = (n: number): string =>
  JSON.stringify({
    hostname: `worker-${n % 20}`,
    output: `08:00:00.${String(n % 1_000_000_000).padStart(9, '0')}: Notice A shell was spawned in a container with an attached terminal (evt_type=execve user=root user_uid=0 user_loginuid=-1 process=bash proc_exepath=/usr/bin/bash parent=runc command=bash terminal=34816 exe_flags=EXE_WRITABLE|EXE_LOWER_LAYER container_id=3ad7b26ded6d container_name=nginx k8s_ns_name=shop k8s_pod_name=web-${n})`,
    priority: 'Notice',
    rule: RULES[n % RULES.length],
    source: 'syscall',
    tags: ['T1059', 'container', 'maturity_stable', 'mitre_execution', 'shell'],
    time: '2026-11-23T08:00:00.123456789Z',
    output_fields: {
      'container.id': '3ad7b26ded6d',
      'container.image.repository': 'docker.io/library/nginx',
      'container.image.tag': '1.27',
      'container.name': 'nginx',
      'evt.arg.flags': 'EXE_WRITABLE|EXE_LOWER_LAYER',
      'evt.time': 1795420800,
      'evt.type': 'execve',
      'k8s.ns.name': 'shop',
      'k8s.pod.name': `web-${n}`,
      'proc.cmdline': 'bash',
      'proc.exepath': '/usr/bin/bash',
      'proc.name': 'bash',
      'proc.pname': 'runc',
      'proc.tty': 34816,
      'user.loginuid': -1,
      'user.name': 'root',
      'user.uid': 0,
    },
  })
