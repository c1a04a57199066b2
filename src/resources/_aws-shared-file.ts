/** Keys of the shared credentials file of AWS's tools. */
import { readFile } from 'node:fs/promises'
import { YarakError } from '../plugin.ts'
import type { AwsCredentials } from './_aws-keys.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The static keys of a profile in `AWS_SHARED_CREDENTIALS_FILE`, by default `~/.aws/credentials`; undefined: there is no
 * such file, or the profile has no keys.
 *
 * Source: shared config and credentials files of the AWS SDKs and Tools Reference Guide.
 * @throws YarakError `config` when `AWS_PROFILE` names a profile that is not there
 */
export const fromSharedFile = async (env: Environment): Promise<AwsCredentials | undefined> => {
  const path = env.AWS_SHARED_CREDENTIALS_FILE ?? (env.HOME && `${env.HOME}/.aws/credentials`)
  const text = path ? await readFile(path, 'utf8').catch(() => undefined) : undefined
  const profile = env.AWS_PROFILE || 'default'
  const keys = text === undefined ? undefined : sectionsOf(text).get(profile)
  if (!keys && env.AWS_PROFILE)
    throw new YarakError('config', `AWS_PROFILE: there is no profile ${profile} in ${path ?? 'a credentials file'}`)
  const accessKeyId = keys?.get('aws_access_key_id')
  const secretAccessKey = keys?.get('aws_secret_access_key')
  const sessionToken = keys?.get('aws_session_token')
  return accessKeyId && secretAccessKey
    ? { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) }
    : undefined
}

const sectionsOf = (text: string): ReadonlyMap<string, ReadonlyMap<string, string>> => {
  const sections = new Map<string, Map<string, string>>()
  let section: Map<string, string> | undefined
  for (const line of text.split(/\r?\n/)) {
    const name = /^\s*\[\s*([^\]]+?)\s*\]/.exec(line)?.[1]
    if (name !== undefined) {
      section = sections.get(name) ?? new Map<string, string>()
      sections.set(name, section)
      continue
    }
    const [, key, value] = /^\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (key !== undefined && value !== undefined) section?.set(key.toLowerCase(), value)
  }
  return sections
}
