/** What the Dockerfile makes works: in a clean folder its lines are carried out, and the program answers from there. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { VERSION } from '../../src/version.ts'
import { alert } from '../kit.ts'
import { image } from './image.ts'
import { freePort, until } from './part.ts'
import { run } from './tools.ts'
import { describePart, running } from './vitest.ts'

describePart(image, () => {
  const made = running(image)
  let dir = ''
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'yarak-image-'))))
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  /** A command of the image, on this machine: `/app` is where the image is. */
  const local = (command: readonly string[]): [string, string[]] => {
    const [program = '', ...args] = command.map((word) => word.replace(/^\/app\//, `${made().root}/app/`))
    return [program === 'node' ? process.execPath : program, args]
  }
  const env = {
    PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
    NODE_ENV: 'production',
    YARAK_LISTEN: '127.0.0.1:0',
  }
  const yarak = (...args: string[]): Promise<string> => run(...local(made().command(args)), { cwd: dir, env })

  it('holds the program and what it needs, and nothing else', () => {
    const app = join(made().root, 'app')
    expect(readdirSync(app).sort()).toEqual(['LICENSE', 'config', 'dist', 'node_modules', 'package.json'])
    expect(readdirSync(join(app, 'dist')).sort()).toEqual(['inputs', 'outputs', 'src'])
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')) as {
      dependencies: object
      devDependencies: object
    }
    const lacking = Object.keys(dependencies).filter((name) => !existsSync(join(app, 'node_modules', name)))
    const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
      packages: Record<string, { dev?: true }>
    }
    const onlyForUs = Object.keys(devDependencies).filter((name) => packages[`node_modules/${name}`]?.dev)
    const left = onlyForUs.filter((name) => existsSync(join(app, 'node_modules', name)))
    expect(onlyForUs).toContain('vitest')
    expect({ lacking, left }).toEqual({ lacking: [], left: [] })
    expect(readdirSync(join(made().root, 'var/lib/yarak'))).toEqual([])
    expect(readdirSync(made().root).sort()).toEqual(['app', 'var'])
  })

  it('answers --version and check', async () => {
    expect(await yarak('--version')).toContain(VERSION)
    expect(await yarak('check')).toMatch(/^ok: 2 inputs, \d+ rules, 1 output\n$/)
    expect(await yarak('check', '/app/config/laptop.yaml')).toBe('ok: 2 inputs, 1 rule, 1 output\n')
    for (const name of ['execution', 'escapes'])
      expect(await yarak('check', '--rules', `/app/config/rules/${name}.yaml`)).toMatch(/^ok: \d+ rules\n$/)
  })

  it('runs the default configuration', async () => {
    const out = await yarak('run', '--once')
    expect(out).toMatch(/respond Keep evidence of shells and sensitive reads · enforce +✔ succeeded/)
    expect(existsSync(join(dir, '.yarak'))).toBe(true)
  })

  it('runs what is mounted, is found healthy, takes an alert, and ends in order', async () => {
    const port = await freePort()
    const config = join(dir, 'yarak.yaml')
    const steps = [{ action: 'evidence:save' }]
    writeFileSync(
      config,
      JSON.stringify({
        ...{ version: 1, mode: 'enforce', listen: `127.0.0.1:${port}`, dataDir: join(dir, 'data') },
        ...{ inputs: { http: {} }, rules: [{ rule: 'Keep', condition: 'priority >= notice', steps }] },
        outputs: { stdout: { tell: 'responses' } },
      }),
    )
    const [program, args] = local(made().command())
    expect(args.slice(1)).toEqual(['run', '--config', '/etc/yarak/yarak.yaml'])
    const child = spawn(program, [...args.slice(0, -1), config], { cwd: dir, env })
    let out = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.stderr.resume()
    const ended = new Promise((done) => child.once('close', (code, signal) => done({ code, signal })))
    try {
      const [node, health] = local(made().health.map((word) => word.replace(':2801/', `:${port}/`)))
      await until('the health check', () => run(node, health, { env }))
      const posted = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: JSON.stringify(alert()) })
      expect(posted.status).toBe(200)
      await until('the report', () => Promise.resolve(/"outcome":"succeeded"/.test(out) || undefined))
      child.kill('SIGTERM')
      expect(await ended).toEqual({ code: 0, signal: null })
      await expect(run(node, health, { env })).rejects.toThrow('ended with 1')
    } finally {
      child.kill('SIGKILL')
    }
  })
})
