/**
 * A process as a container has it, with what Linux gives to root: a file system of its own that cannot be written but
 * where something is mounted for that, a user without capabilities, and no way to get any. Processes are those of this
 * machine, and so is the network, unless it has none; there is no seccomp profile.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { forget, type Part, runDir, type Running } from './part.ts'
import { lacking } from './tools.ts'

export interface Mount {
  readonly from: string
  readonly to: string
  readonly readOnly: boolean
}

export interface SandboxOptions {
  /** Folders of this machine, by their places in the container. */
  readonly mounts: readonly Mount[]
  readonly command: readonly string[]
  /** All of it: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  /** `uid:gid`, as numbers. */
  readonly user: string
  readonly workdir: string
  /** Nothing is there but a loopback of its own. */
  readonly offline?: boolean
}

export interface SandboxAddresses {
  readonly child: ChildProcess
  readonly pid: number
  /** Its root, seen from outside. */
  readonly root: string
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
  out(): string
  err(): string
}

/**
 * Its arguments: the folder for the root, the program that is to be Node, how many mounts, each with source, target and
 * `ro` or `rw`, and the command. The system's programs and libraries stand for those of the base image.
 */
const SCRIPT = `
root=$1; node=$2; count=$3; shift 3
mount -t tmpfs -o mode=0755 sandbox "$root"
mkdir -p "$root/usr" "$root/etc" "$root/proc" "$root/dev" "$root/nodejs/bin"
mount --bind /usr "$root/usr"
mount -o remount,bind,ro "$root/usr"
for name in bin sbin lib lib64; do
  if [ -L "/$name" ]; then ln -s "usr/$name" "$root/$name"; fi
  if [ -d "/$name" ] && [ ! -L "/$name" ]; then mkdir "$root/$name"; mount --bind -o ro "/$name" "$root/$name"; fi
done
echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' > "$root/etc/passwd"
mount --bind /proc "$root/proc"
for name in null zero random urandom; do
  touch "$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
touch "$root/nodejs/bin/node"
mount --bind "$node" "$root/nodejs/bin/node"
mount -o remount,bind,ro "$root/nodejs/bin/node"
while [ "$count" -gt 0 ]; do
  mkdir -p "$root$2"
  mount --bind "$1" "$root$2"
  if [ "$3" = ro ]; then mount -o remount,bind,ro "$root$2"; fi
  shift 3
  count=$((count - 1))
done
mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"
`

export const sandbox = {
  name: 'sandbox',
  version: '',
  missing: () =>
    process.getuid?.() === 0
      ? lacking('unshare', 'mount', 'chroot', 'setpriv', 'env', 'ip')
      : 'only root can give a process another root and another user',
  cached: () => [],
  ensure: async () => {},
  async start(options: SandboxOptions): Promise<Running<SandboxAddresses>> {
    const dir = runDir('sandbox')
    const root = join(dir, 'root')
    mkdirSync(root)
    const [uid = '', gid = uid] = options.user.split(':')
    const privileges = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs', '--bounding-set=-all']
    const variables = Object.entries(options.env).map(([name, value]) => `${name}=${value}`)
    const mounts = options.mounts.flatMap(({ from, to, readOnly }) => [from, to, readOnly ? 'ro' : 'rw'])
    const script = options.offline ? `ip link set lo up\n${SCRIPT}` : SCRIPT
    const child = spawn('unshare', [
      ...(options.offline ? ['--net'] : []),
      ...['--mount', '--propagation', 'private', 'sh', '-e', '-c', script, 'sandbox'],
      ...[root, process.execPath, String(options.mounts.length), ...mounts],
      ...['setpriv', ...privileges, 'env', '-i', `--chdir=${options.workdir}`, ...variables, ...options.command],
    ])
    const said = { out: '', err: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text))
    const ended = new Promise<{ code: number | null; signal: string | null }>((done) =>
      child
        .once('close', (code, signal) => done({ code, signal }))
        .once('error', () => done({ code: -1, signal: null })),
    )
    const addresses = { child, pid: child.pid ?? -1, root: `/proc/${child.pid}/root`, ended }
    return {
      addresses: { ...addresses, out: () => said.out, err: () => said.err },
      async stop() {
        child.kill('SIGKILL')
        await ended
        forget(dir)
      },
    }
  },
} satisfies Part<SandboxAddresses, SandboxOptions>
