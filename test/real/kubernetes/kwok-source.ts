/**
 * kwok, built from its published source with two corrections. A kubelet passes the exit code of a command on and closes
 * the command's input when the client does; kwok 0.8 loses the code and leaves the input open for ever.
 */
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { go, linkFlags, once, type Say } from '../tools.ts'
import { versions } from '../versions.ts'

interface Edit {
  readonly file: string
  readonly from: string
  readonly to: string
}

const edits: readonly Edit[] = [
  {
    file: 'pkg/kwok/server/debugging_exec.go',
    from: 'err := utilsexec.Exec(ctx, cmd[0], cmd[1:]...)',
    to: 'err := exitStatus(utilsexec.Exec(ctx, cmd[0], cmd[1:]...))',
  },
  {
    file: 'pkg/kwok/server/debugging_exec_other.go',
    from: 'err = utilsexec.Exec(ctx, cmd[0], cmd[1:]...)',
    to: 'err = exitStatus(utilsexec.Exec(ctx, cmd[0], cmd[1:]...))',
  },
  {
    file: 'pkg/utils/exec/exec.go',
    from: '_, _ = io.Copy(inPipe, opt.In)',
    to: '_, _ = io.Copy(inPipe, opt.In)\n\t\t\t\t_ = inPipe.Close()',
  },
]

/** Exit codes as a container runtime counts them: 128 and the signal's number for a process ended by a signal. */
const exitStatus = `package server

import (
	"errors"
	"os/exec"
	"syscall"

	utilexec "k8s.io/utils/exec"
)

func exitStatus(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	code := exit.ExitCode()
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = 128 + int(status.Signal())
	}
	return utilexec.CodeExitError{Err: err, Code: code}
}
`

/** Nodes with heartbeats; pods that run at once, end with their job, and go when deleted. */
const stages = [
  'node/fast/node-initialize.yaml',
  'node/heartbeat-with-lease/node-heartbeat-with-lease.yaml',
  'pod/fast/pod-ready.yaml',
  'pod/fast/pod-complete.yaml',
  'pod/fast/pod-delete.yaml',
]

const apply = (source: string, { file, from, to }: Edit): void => {
  const path = join(source, file)
  const text = readFileSync(path, 'utf8')
  if (text.split(from).length !== 2) throw new Error(`kwok ${versions.kwok}: ${file} is not as expected`)
  writeFileSync(path, text.replace(from, to))
}

/** Makes `dir` with the program `kwok` and `stages.yaml`. */
export const buildKwok = (dir: string, say: Say): Promise<void> =>
  once(dir, async (unfinished) => {
    say(`kubernetes: building kwok ${versions.kwok}`)
    const answer = await go(['mod', 'download', '-json', `sigs.k8s.io/kwok@v${versions.kwok}`])
    const { Dir } = JSON.parse(answer) as { Dir: string }
    mkdirSync(unfinished)
    writeFileSync(
      join(unfinished, 'stages.yaml'),
      stages.map((stage) => readFileSync(join(Dir, 'kustomize/stage', stage), 'utf8')).join('---\n'),
    )
    const source = join(unfinished, 'source')
    copyWritable(Dir, source)
    for (const edit of edits) apply(source, edit)
    writeFileSync(join(source, 'pkg/kwok/server/exit_status.go'), exitStatus)
    const variables = { 'sigs.k8s.io/kwok/pkg/consts.Version': versions.kwok }
    await go(['build', '-trimpath', '-ldflags', linkFlags(variables), '-o', '../kwok', './cmd/kwok'], source)
    rmSync(source, { recursive: true, force: true })
  })

/** The module cache is read-only, and so would be a plain copy of it. */
const copyWritable = (from: string, to: string): void => {
  cpSync(from, to, { recursive: true })
  chmodSync(to, 0o755)
  for (const entry of readdirSync(to, { recursive: true, withFileTypes: true }))
    chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644)
}
