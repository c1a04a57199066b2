/**
 * What the Dockerfile makes, without Docker: each stage is a folder, in which its COPY and RUN lines are carried out as
 * they are written. The base images are not there; Node is the one that runs the tests.
 */
import { createHash } from 'node:crypto'
import { cpSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, delimiter, dirname, join, resolve } from 'node:path'
import { commandOf, copied, type Instruction, lastOf, sentBy, type Stage, stagesIn, valuesOf } from '../_dockerfile.ts'
import { locked } from './lock.ts'
import { cacheDir, type Part, type Running } from './part.ts'
import { lacking, once, run, type Say } from './tools.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8')

export interface ImageAddresses {
  /** The file system of the image, without that of its base. */
  readonly root: string
  /** ENTRYPOINT and CMD; or ENTRYPOINT and these arguments. */
  command(args?: readonly string[]): string[]
  readonly health: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly user: string
  readonly workdir: string
}

/** By what it is made of: another content is another image. */
const path = (): string => {
  const hash = createHash('sha256').update(read('Dockerfile'))
  const files = sentBy(read('.dockerignore')).flatMap((name) =>
    statSync(join(ROOT, name)).isFile() ? [name] : globSync(`${name}/**`, { cwd: ROOT }).sort(),
  )
  for (const file of files) if (statSync(join(ROOT, file)).isFile()) hash.update(`${file}\0`).update(read(file))
  return join(cacheDir('images'), hash.digest('hex').slice(0, 16))
}

/** As in the base image: nothing of the npm or the test that runs this, but its cache and its registry. */
const environment = (): NodeJS.ProcessEnv => {
  const kept = /^npm_config_(registry|cache|userconfig|cafile|proxy|https_proxy|noproxy)$/i
  const given = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_ENV$|INIT_CWD$)/i.test(name) || kept.test(name),
  )
  const PATH = [dirname(process.execPath), ...(process.env.PATH ?? '').split(delimiter)]
    .filter((folder) => !folder.endsWith('node_modules/.bin'))
    .join(delimiter)
  return { ...Object.fromEntries(given), PATH, npm_config_prefer_offline: 'true' }
}

const build = async (stages: readonly Stage[], dir: string, say: Say): Promise<void> => {
  const folders = new Map(stages.map((stage) => [stage, join(dir, stage.name || 'image')]))
  for (const [stage, folder] of folders) {
    let workdir = '/'
    for (const instruction of stage.instructions) {
      const { name, text } = instruction
      if (name === 'WORKDIR') mkdirSync(join(folder, (workdir = resolve(workdir, text))), { recursive: true })
      if (name === 'COPY') copy(instruction, join(folder, resolve(workdir, copied(instruction).to)), join(dir, 'build'))
      if (name !== 'RUN') continue
      say(`image: ${text}`)
      await run('sh', ['-c', text], { cwd: join(folder, workdir), env: environment(), nice: true })
    }
  }
}

/** One file or folder is copied as what stands last, several are copied into it. */
const copy = (instruction: Instruction, target: string, build: string): void => {
  const { from, to } = copied(instruction)
  for (const name of from) {
    const source = instruction.flags['from'] === undefined ? join(ROOT, name) : join(build, name)
    const into = to.endsWith('/') ? join(target, basename(name)) : target
    cpSync(source, into, { recursive: true, verbatimSymlinks: true })
  }
}

/** Makes it in a clean folder, unless it is there, and gives that folder. What was made of other content goes. */
const make = (say: Say): Promise<string> =>
  locked(join(cacheDir(), 'image.lock'), async () => {
    const made = path()
    if (existsSync(made)) return made
    for (const old of readdirSync(cacheDir('images'))) rmSync(join(cacheDir('images'), old), { recursive: true })
    await once(made, async (unfinished) => {
      mkdirSync(unfinished)
      await build(stagesIn(read('Dockerfile')), unfinished, say)
      rmSync(join(unfinished, 'build'), { recursive: true })
    })
    return made
  })

export const image = {
  name: 'image',
  version: '',
  missing: () => lacking('npm', 'sh'),
  cached: () => [path()],
  ensure: async (say: Say = () => undefined) => void (await make(say)),
  async start(): Promise<Running<ImageAddresses>> {
    const stage = stagesIn(read('Dockerfile')).at(-1) as Stage
    const addresses = {
      root: join(await make(() => undefined), 'image'),
      command: (args?: readonly string[]) => commandOf(stage, args && [...args]),
      health: JSON.parse(lastOf(stage, 'HEALTHCHECK').text.replace(/^CMD /, '')) as string[],
      env: valuesOf(stage, 'ENV'),
      user: lastOf(stage, 'USER').text,
      workdir: lastOf(stage, 'WORKDIR').text,
    }
    return { addresses, stop: async () => {} }
  },
} satisfies Part<ImageAddresses>
