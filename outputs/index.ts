/** The outputs that Yarak brings along. A new one is a file in this folder and a line here. */
import { alertmanager } from './alertmanager.ts'
import { awsS3 } from './aws-s3.ts'
import { azureBlob } from './azure-blob.ts'
import { file } from './file.ts'
import { gcpStorage } from './gcp-storage.ts'
import { kafka } from './kafka.ts'
import { minio } from './minio.ts'
import { slack } from './slack.ts'
import { stdout } from './stdout.ts'
import { webhook } from './webhook.ts'

export const outputs = [alertmanager, awsS3, azureBlob, file, gcpStorage, kafka, minio, slack, stdout, webhook]
