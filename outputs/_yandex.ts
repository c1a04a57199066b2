/** Who asks at Yandex Cloud: a static access key, as for AWS. */
import { secret, z } from '../src/plugin.ts'
import { awsRegion } from '../src/resources/aws.ts'

/** Settings of every output to Yandex Cloud. */
export const yandexSettings = {
  accessKeyId: z.string().min(1).describe('Id of the static access key of a service account.'),
  secretAccessKey: secret().describe('The secret of `accessKeyId`.'),
  region: awsRegion().default('ru-central1').describe('Region. Default ru-central1.'),
}
