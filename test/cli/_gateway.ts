/** A gateway's journal as the commands about it meet it: of one that runs, or of one that has ended. */
import { afterEach } from 'vitest'
import { type AdminOptions, mountAdmin } from '../../src/admin.ts'
import type { AdminClient } from '../../src/admin-access.ts'
import { createGateway, type GatewayOptions } from '../../src/index.ts'
import type { Listener } from '../../src/config/index.ts'
import type { Journal } from '../../src/journal/index.ts'
import { sqliteJournal } from '../../src/journal/sqlite.ts'
import { SILENT } from '../../src/options.ts'
import { listen } from '../../src/serve.ts'
import { type closedPort, type folder } from './_kit.ts'

export type Folder = ReturnType<typeof folder>
export type Port = ReturnType<typeof closedPort>

interface Running {
  readonly clients?: readonly AdminClient[]
  /** Of the log. */
  readonly levels?: AdminOptions['levels']
  readonly options?: GatewayOptions
}

export const journalled = (files: Folder) => {
  const left: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of left.splice(0)) await close()
  })
  const open = () => sqliteJournal({ path: files.at('data/journal.db'), log: SILENT })
  return {
    /** A configuration that has its data in the folder. */
    config: (more: object = {}) => files.write('yarak.yaml', { version: 1, dataDir: files.at('data'), ...more }),
    /** What a gateway left. */
    async leave(fill: (journal: Journal) => unknown) {
      const journal = await open()
      await fill(journal)
      await journal.close()
    },
    /** A gateway that runs; its admin routes are on a socket in its data folder, unless another place is named. */
    async run(at: Listener = { path: files.at('data/admin.sock') }, { clients, levels, options }: Running = {}) {
      const journal = await open()
      const gateway = createGateway({ ...options, journal })
      const app = mountAdmin({
        journal,
        gateway,
        outputs: () => gateway.health().outputs,
        replay: gateway.replay,
        ...(clients && { clients }),
        ...(levels && { levels }),
      })
      const listeners = listen(gateway, [], SILENT, { admin: { app, listeners: [at] } })
      left.push(
        () => listeners.close(0),
        () => gateway.stop(),
        () => journal.close(),
      )
      const url = (await listeners.ready[0]) ?? ''
      return { journal, gateway, url }
    },
  }
}
