/** The setting `admin`: who may look after a running gateway, and where. */
import { join } from 'node:path'
import { z } from 'zod'
import { type AdminClient, UNIX } from '../admin-access.ts'
import { secret } from '../settings.ts'
import type { Document } from './document.ts'
import { adminListenSetting, addressText, type Listener } from './listen.ts'
import { type Checked, checkTls } from './listeners.ts'

const client = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\w.@-]{1,64}$/, 'must be letters, digits, and any of _ . @ -, 64 at most')
      .describe('How the audit record calls this client.'),
    role: z.enum(['view', 'operate']).describe('`view` looks at everything, `operate` changes things too.'),
    token: secret().optional().describe('Its bearer token.'),
    certificate: z
      .string()
      .min(1)
      .optional()
      .describe('The common name of its certificate, or a DNS, URI or mail name in it.'),
  })
  .refine(({ token, certificate }) => (token === undefined) !== (certificate === undefined), {
    message: 'needs either a token or a certificate',
  })

const settings = z.strictObject({
  listen: adminListenSetting
    .optional()
    .describe(
      'Where the admin routes are: `unix:/path`, `host:port`, a map with TLS, or a list of these; `off` for nowhere. ' +
        'Default the unix socket `admin.sock` in `dataDir`, which only the user of the gateway may open.',
    ),
  token: secret().optional().describe('Bearer token of a client that may do everything. Needed over TCP, or clients.'),
  viewToken: secret().optional().describe('Bearer token of a client that may only look.'),
  clients: z.array(client).default([]).describe('Further clients, with names of their own for the audit record.'),
  audit: z
    .strictObject({
      enabled: z.boolean().default(true).describe('False: nobody records who did what.'),
      file: z.string().min(1).optional().describe('The file. Default `audit.jsonl` in `dataDir`.'),
    })
    .prefault({})
    .describe('The record of admin calls, refusals of the guard, destructive steps, reloads and undoing.'),
})

type AdminSettings = z.output<typeof settings>

const PROOF =
  'needs a way to know who asks: set admin.token, or tls with caFile and a client in admin.clients with a certificate'

export const adminSettings = settings.superRefine((admin, context) => {
  // of a value that is wrong, the type promises too much
  if (context.issues.length > 0) return
  for (const [i, listener] of (admin.listen ?? []).entries()) {
    if ('path' in listener || isProvable(admin, listener)) continue
    context.addIssue({ code: 'custom', path: admin.listen?.length === 1 ? ['listen'] : ['listen', i], message: PROOF })
  }
  const clients = adminClients(admin)
  for (const [i, { name, token, certificate }] of admin.clients.entries()) {
    const others = clients.filter((_one, j) => j !== clients.length - admin.clients.length + i)
    const twice = (setting: string) =>
      context.addIssue({ code: 'custom', path: ['clients', i, setting], message: 'is that of another client' })
    if (name === UNIX || others.some((other) => other.name === name)) twice('name')
    if (token !== undefined && others.some((other) => other.token === token)) twice('token')
    if (certificate !== undefined && others.some((other) => other.certificate === certificate)) twice('certificate')
  }
  if (admin.token !== undefined && admin.token === admin.viewToken)
    context.addIssue({ code: 'custom', path: ['viewToken'], message: 'must not be admin.token' })
})

const isProvable = (admin: AdminSettings, { tls }: Listener): boolean =>
  adminClients(admin).some(
    ({ token, certificate }) => token !== undefined || (certificate !== undefined && tls && tls.clientAuth !== 'none'),
  )

/** All who are known, those of `token` and `viewToken` first. */
export const adminClients = ({ token, viewToken, clients }: AdminSettings): AdminClient[] => [
  ...(token === undefined ? [] : [{ name: 'token', role: 'operate' as const, token }]),
  ...(viewToken === undefined ? [] : [{ name: 'viewToken', role: 'view' as const, token: viewToken }]),
  ...clients,
]

interface Placed {
  readonly admin: AdminSettings
  readonly dataDir: string
}

/** The socket of a gateway whose settings name no other place. */
export const adminSocket = ({ dataDir }: Pick<Placed, 'dataDir'>): Listener => ({ path: join(dataDir, 'admin.sock') })

/** Where the admin routes are. */
export const adminListeners = (options: Placed): readonly Listener[] => options.admin.listen ?? [adminSocket(options)]

/** The file of the audit record; undefined: there is none. */
export const auditPath = ({ admin: { audit }, dataDir }: Placed): string | undefined =>
  audit.enabled ? (audit.file ?? join(dataDir, 'audit.jsonl')) : undefined

/** Bytes that a path of a socket may have on Linux, without the zero at its end. */
const MOST = 107

/** The settings with the paths of certificates resolved; what only the whole file shows is told. */
export const checkAdmin = (context: Checked, options: Placed, listen: readonly Listener[]): AdminSettings => {
  const { document, problems } = context
  const { admin } = options
  const taken = new Set(listen.map(addressText).filter((text) => !text.endsWith(':0')))
  for (const listener of adminListeners(options)) {
    const text = addressText(listener)
    const path = admin.listen ? ['admin', 'listen'] : ['dataDir']
    if (taken.has(text)) problems.add(document, { path }, `admin.listen: ${text} is listened at already`)
    const bytes = 'path' in listener ? Buffer.byteLength(listener.path) : 0
    taken.add(text)
    if (bytes > MOST) problems.add(document, { path }, tooLong(text, bytes))
  }
  if (!admin.listen) return admin
  return { ...admin, listen: admin.listen.map((one, i) => checkTls(context, one, placeOf(document, i))) }
}

const placeOf = ({ value }: Document, i: number): (string | number)[] => {
  const { listen } = (value as { admin: { listen: unknown } }).admin
  return Array.isArray(listen) ? ['admin', 'listen', i] : ['admin', 'listen']
}

const tooLong = (text: string, bytes: number): string =>
  `admin.listen: the path of ${text} has ${bytes} bytes, and the system takes ${MOST}: ` +
  'set admin.listen to a shorter one such as unix:/run/yarak/admin.sock, or to off'
