import { defineContext, duration, YarakError, z } from '../plugin.ts'
import { createInstanceMetadata } from '../resources/aws.ts'

const config = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('The metadata service. Default: `AWS_EC2_METADATA_SERVICE_ENDPOINT`, else `http://169.254.169.254`.'),
  timeout: duration().prefault('2s').describe('Deadline of one request. Default 2s.'),
})

/**
 * The EC2 instance that Yarak runs on, by the instance metadata service, version 2. Falco Talon has it under the same
 * name.
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
 * @example `with: { message: 'in {{ context.aws.region }}, account {{ context.aws.account_id }}' }`
 */
export const aws = defineContext({
  type: 'aws',
  summary: 'The EC2 instance that Yarak runs on: region, zone, account, instance, instance profile.',
  notes: [
    'Members: `instance_profile_arn`, `instance_profile_id` and `region`, as Falco Talon names them, and `account_id`, `availability_zone`, `instance_id`, `instance_type`, `image_id`, `private_ip`. Without an instance profile its two are absent.',
    'In a pod the metadata service answers only where the hop limit of the instance is 2 or more.',
  ].join('\n'),
  config,
  async lookup(settings, { signal }, io) {
    const read = createInstanceMetadata(io, { ...settings, signal })
    const [identity = '', profile = '{}'] = await Promise.all([read(IDENTITY), read(PROFILE)])
    return { ...instanceOf(parsed(identity, IDENTITY)), ...profileOf(parsed(profile, PROFILE)) }
  },
})

const IDENTITY = 'dynamic/instance-identity/document'
const PROFILE = 'meta-data/iam/info'

type Answer = Readonly<Record<string, unknown>>

const instanceOf = (identity: Answer) => ({
  region: identity.region,
  account_id: identity.accountId,
  availability_zone: identity.availabilityZone,
  instance_id: identity.instanceId,
  instance_type: identity.instanceType,
  image_id: identity.imageId,
  private_ip: identity.privateIp,
})

const profileOf = (profile: Answer) => ({
  instance_profile_arn: profile.InstanceProfileArn,
  instance_profile_id: profile.InstanceProfileId,
})

const parsed = (body: string, path: string): Answer => {
  try {
    return JSON.parse(body) as Answer
  } catch {
    throw new YarakError('failed', `the metadata service answers ${path} with what is no JSON`, {
      reason: 'bad-answer',
    })
  }
}
