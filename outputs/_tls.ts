/** TLS of outputs that do not speak HTTP. Those that do have the engine's settings `http.tls`. */
import { readFile } from 'node:fs/promises'
import { messageOf, YarakError, z } from '../src/plugin.ts'

/** The setting `tls`: absent, there is no TLS unless the address says so. */
export const tlsSettings = () =>
  z
    .strictObject({
      caFile: z.string().min(1).optional().describe("PEM file of the authorities to trust. Default: the system's."),
      certFile: z.string().min(1).optional().describe('PEM file of our own certificate, for mutual TLS.'),
      keyFile: z.string().min(1).optional().describe('PEM file of the key of `certFile`.'),
      verify: z.boolean().default(true).describe("Check the server's certificate. Default true."),
    })
    .refine(({ certFile, keyFile }) => !certFile === !keyFile, 'certFile and keyFile go together')
    .optional()
    .describe("TLS; `{}` turns it on with the system's authorities. Absent: none, unless the address says so.")

export type TlsSettings = z.output<ReturnType<typeof tlsSettings>>

/** As `node:tls` takes them. */
export interface TlsOptions {
  readonly rejectUnauthorized: boolean
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/**
 * Reads the files, each time anew: a certificate that was renewed holds from the next connection on.
 * @throws YarakError `config` for a file that cannot be read
 * @example const socket = tls.connect({ host, port, servername: host, ...(await tlsOptions(settings.tls)) })
 */
export const tlsOptions = async ({
  caFile,
  certFile,
  keyFile,
  verify,
}: NonNullable<TlsSettings>): Promise<TlsOptions> => {
  const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map(readPem))
  return { rejectUnauthorized: verify, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
}

const readPem = async (file: string | undefined): Promise<string | undefined> => {
  if (file === undefined) return undefined
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new YarakError('config', `tls: ${messageOf(cause)}`, { cause, reason: 'tls-file' })
  }
}
