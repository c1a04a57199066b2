/** Google Cloud: who asks, and in which project. */
import { defineResource, secret, YarakError, z } from '../plugin.ts'
import {
  type Credentials,
  findCredentials,
  type GoogleIo,
  readMetadata,
  tokenFor,
  type Wanted,
} from './_google-credentials.ts'
import { renewed } from './_renewed.ts'

export type { GoogleIo } from './_google-credentials.ts'

/** A project, as somebody in it. */
export interface Google {
  /** @throws YarakError `config` when none is set anywhere */
  project(wanted?: string): Promise<string>
  /** `Bearer …` for Google's own services. */
  authorization(): Promise<string>
  /** `Bearer …` that shows a function or a service of ours who we are. @param audience its address */
  identity(audience: string): Promise<string>
}

/** What a token may be used for; what it may do is decided by the account's roles. */
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'

/** Where a key may be set: to be spread into the settings of a resource or an output. */
export const googleSettings = {
  credentialsFile: z
    .string()
    .min(1)
    .optional()
    .describe('File with the key of a service account. Default: Application Default Credentials.'),
  credentials: secret().optional().describe('The same key as a text: JSON, or JSON in Base64.'),
}

const settings = {
  ...googleSettings,
  project: z
    .string()
    .regex(/^[a-z0-9.:-]{4,64}$/, 'must be the id of a project')
    .optional()
    .describe('Id of the project. Default: GOOGLE_CLOUD_PROJECT, else that of the credentials.'),
}

type Settings = z.output<z.ZodObject<typeof settings>>

/** The Google Cloud project that actions and outputs work in. */
export const google = defineResource({
  type: 'google',
  summary: 'The Google Cloud project that actions and outputs work in.',
  notes: [
    'Without a key, credentials are found as Google’s clients find them: `GOOGLE_APPLICATION_CREDENTIALS`, the file of gcloud, the metadata service (Workload Identity of GKE).',
    'Keys of service accounts and gcloud’s login are known; a person gets no identity token, which functions and services that are not public ask for. Federated credentials (`external_account`) are not known.',
  ].join('\n'),
  config: z.strictObject(settings),
  open: async (given, io) => createGoogle(given, io),
})

/** Milliseconds before its end when a token is renewed. */
const EARLY = 5 * 60_000

/** @example const { authorization } = createGoogle({ credentialsFile: '/key.json' }, io) */
export const createGoogle = (given: Settings, io: GoogleIo): Google => {
  const credentials = renewed(async () => ({ value: await findCredentials(given, io), until: Infinity }))
  const tokens = new Map<string, () => Promise<string>>()
  const bearer = (key: string, wanted: Wanted): Promise<string> => {
    const found = tokens.get(key) ?? renewed(async () => make(await credentials(), wanted, io))
    tokens.set(key, found)
    return found()
  }
  return {
    project: async (wanted) =>
      wanted ?? given.project ?? io.env.GOOGLE_CLOUD_PROJECT ?? projectOf(await credentials(), io),
    authorization: () => bearer('', { scope: SCOPE }),
    identity: (audience) => bearer(audience, { audience }),
  }
}

const make = async (credentials: Credentials, wanted: Wanted, io: GoogleIo) => {
  const { value, lasts } = await tokenFor(credentials, wanted, io)
  return { value: `Bearer ${value}`, until: Date.now() + lasts * 1_000 - EARLY }
}

const projectOf = async (credentials: Credentials, io: GoogleIo): Promise<string> => {
  if (credentials.type === 'metadata') return readMetadata('project/project-id', io)
  const project = credentials.type === 'service_account' ? credentials.project_id : credentials.quota_project_id
  if (project !== undefined) return project
  throw new YarakError('config', 'no Google Cloud project: set `project`', { permanent: true, reason: 'no-project' })
}

/** The project of a use: as the key of its own settings, when there is one, else the shared one. */
export const googleOf = async (
  given: Pick<Settings, 'credentials' | 'credentialsFile'>,
  io: GoogleIo & { use(resource: typeof google): Promise<Google> },
): Promise<Google> =>
  given.credentials === undefined && given.credentialsFile === undefined ? io.use(google) : createGoogle(given, io)
