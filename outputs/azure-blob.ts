import { defineOutput, secret, z } from '../src/plugin.ts'
import { azure } from '../src/resources/azure.ts'
import { blobSender } from './_azure-blob.ts'
import { EXAMPLE_BODY, EXAMPLE_PATH } from './_example.ts'
import { prefixSetting } from './_objects.ts'
import { serverUrl } from './_settings.ts'

/**
 * Writes each notice as a blob into a container of Azure Blob Storage; as a store, keeps the files of steps there.
 * @example azureBlob({ account: 'secops', container: 'evidence' }, 'evidence')
 */
export const azureBlob = defineOutput({
  type: 'azure.blob',
  summary: 'Writes the event as a blob into a container of Azure Blob Storage, and keeps the files of steps there.',
  notes: `
Names are those of \`aws.s3\`. A file of a step is streamed: in blocks of 8 MiB when it is larger than one, each with its
MD5, which the service checks. Until the last block no blob appears; when the step fails or is cut short, the service
throws the blocks away after a week. Rule, response, trace and the SHA-256 of the file are metadata of the blob.

Without \`accountKey\` and \`sasToken\` it is the identity of \`resources: azure\`, which needs the role Storage Blob Data
Contributor. A SAS token needs the permissions create and write.
`.trim(),
  config: z
    .strictObject({
      account: z
        .string()
        .regex(/^[a-z0-9]{3,24}$/, 'must be the name of a storage account')
        .describe('Storage account.'),
      container: z
        .string()
        .regex(/^(\$root|[a-z0-9](-?[a-z0-9]){2,62})$/, 'must be the name of a container')
        .describe('The container. It must be there.'),
      prefix: prefixSetting().prefault('').describe('Folders before the names of all blobs. Default none.'),
      endpoint: serverUrl()
        .optional()
        .describe("Address of the account's blobs. Default `https://<account>.blob.core.windows.net`."),
      accountKey: secret()
        .regex(/^[A-Za-z0-9+/]+=*$/, 'must be in Base64')
        .optional()
        .describe('Key of the account.'),
      sasToken: secret().optional().describe('Shared access signature: the query of a SAS URL.'),
    })
    .refine(({ accountKey, sasToken }) => !accountKey || !sasToken, 'takes accountKey or sasToken, not both'),
  http: true,
  stores: true,
  async open({ endpoint, ...settings }, io) {
    const { account, accountKey, sasToken } = settings
    const address = endpoint ?? `https://${account}.blob.core.windows.net`
    const identity = accountKey === undefined && sasToken === undefined ? await io.use(azure) : undefined
    return blobSender({ ...settings, endpoint: address.replace(/\/+$/, ''), azure: identity }, io)
  },
  example: {
    config: { account: 'secops', container: 'falco-events', accountKey: 'ZmFsY28tZXZlbnRzLWtleQ==' },
    sends: {
      method: 'PUT',
      url: `https://secops.blob.core.windows.net/falco-events/${EXAMPLE_PATH}`,
      body: EXAMPLE_BODY,
    },
  },
})
