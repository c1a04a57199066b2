/**
 * Debian packages unpacked into the cache. Nothing is installed: no root, no service, no change to the machine.
 * The index of packages is the cache's own too, so `apt-get update` need not have been run.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { launch, type Launch } from './launch.ts'
import { locked } from './lock.ts'
import { cacheDir, type Part } from './part.ts'
import { lacking, once, run, type Say } from './tools.ts'

/** The release of Debian whose packages `versions.ts` pins. */
const release = 'bookworm'

interface AptSource {
  readonly name: string
  /** Debian version without its revision, which changes with every security fix. */
  readonly version: string
  /** The packages of that version; what they depend on comes along. */
  readonly packages: readonly string[]
}

/** A part that is made of Debian packages. */
export interface AptSpec<A extends object, O extends object> extends AptSource {
  /** More than the packages that is needed to start, else undefined. */
  needs?(): string | undefined
  begin(files: AptFiles, run: Launch, options: O): Promise<A>
}

/** The unpacked files of a part. */
export interface AptFiles {
  /** Path of a file, given as it would be on an installed system. */
  path(installed: string): string
  /** An environment in which programs find the unpacked libraries. */
  env(more?: NodeJS.ProcessEnv): NodeJS.ProcessEnv
}

/** Every part that comes from Debian has this one shape; only how it begins differs. */
export const aptPart = <A extends object, O extends object = object>(spec: AptSpec<A, O>): Part<A, O> => {
  const upstream = spec.version.replace(/^\d+:/, '')
  const root = join(cacheDir('apt'), `${spec.name}-${upstream}`)
  return {
    name: spec.name,
    version: upstream,
    missing: () => spec.needs?.() ?? (existsSync(root) ? undefined : aptMissing()),
    cached: () => [root],
    ensure: (say = () => undefined) => locked(`${root}.lock`, () => once(root, (draft) => unpack(spec, draft, say))),
    async start(options) {
      const files = filesOf(root)
      return launch(spec.name, (run) => spec.begin(files, run, options ?? ({} as O)))
    },
  }
}

/** Why packages cannot be had on this machine, else undefined. */
export const aptMissing = (): string | undefined => {
  const reason = lacking('apt-get', 'dpkg', 'dpkg-deb')
  if (reason) return reason
  const codename = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
  return codename === release ? undefined : `its packages are pinned for Debian ${release}, and this is ${codename}`
}

const filesOf = (root: string): AptFiles => {
  const libraries = ['usr/lib', 'lib']
    .map((folder) => join(root, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .filter((folder) => folder.endsWith('-linux-gnu'))
  return {
    path: (installed) => join(root, installed),
    env: (more) => ({ ...process.env, LD_LIBRARY_PATH: libraries.join(':'), ...more }),
  }
}

/** Large, and of no use to a server that nobody looks at. */
const unused = ['doc', 'javascript', 'man']

const unpack = async (spec: AptSource, draft: string, say: Say): Promise<void> => {
  const debs = `${draft}.debs`
  try {
    say(`apt: getting ${spec.packages.join(', ')} ${spec.version}`)
    await download(spec, debs, say)
    mkdirSync(draft)
    for (const deb of readdirSync(debs)) await run('dpkg-deb', ['-x', join(debs, deb), draft])
    for (const folder of unused) rmSync(join(draft, 'usr/share', folder), { recursive: true, force: true })
  } finally {
    rmSync(debs, { recursive: true, force: true })
  }
}

/** With an old index a package may be unknown or gone from the archive: the index is read anew, once. */
const download = async (spec: AptSource, debs: string, say: Say): Promise<void> => {
  const get = async () => {
    rmSync(debs, { recursive: true, force: true })
    mkdirSync(debs)
    await run('apt-get', [...aptOptions(), '-qq', 'download', ...(await selection(spec))], { cwd: debs })
  }
  const seen = indexTime()
  try {
    await get()
  } catch {
    await readIndex(seen, say)
    await get()
  }
}

/** Several parts find the index wanting at the same moment; the first one to get the lock reads it for all. */
const readIndex = (seen: number, say: Say): Promise<void> =>
  locked(join(cacheDir('apt'), 'index.lock'), async () => {
    if (indexTime() !== seen) return
    say('apt: reading the index of packages')
    await run('apt-get', [...aptOptions(), '-qq', 'update'])
    writeFileSync(indexMark(), '')
  })

/** A file as old as the index: apt keeps the archive's own dates on the index itself. */
const indexMark = (): string => join(cacheDir('apt', 'state'), 'index-read')
const indexTime = (): number => statSync(indexMark(), { throwIfNoEntry: false })?.mtimeMs ?? 0

/** The packages and those they need that the machine lacks, as apt's own solver sees it. */
const selection = async (spec: AptSource): Promise<string[]> => {
  const wanted = spec.packages.map((name) => `${name}=${spec.version}*`)
  const simulate = ['-s', 'install', '--reinstall', '--no-install-recommends']
  const plan = await run('apt-get', [...aptOptions(), ...simulate, ...wanted])
  return [...plan.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+)/gm)].map(([, name, version]) => `${name}=${version}`)
}

const aptOptions = (): string[] => {
  const state = cacheDir('apt', 'state')
  cacheDir('apt', 'state', 'lists', 'partial')
  cacheDir('apt', 'state', 'archives', 'partial')
  const options = [`Dir::State::lists=${state}/lists`, `Dir::Cache=${state}`, 'APT::Sandbox::User=']
  return options.flatMap((option) => ['-o', option])
}
