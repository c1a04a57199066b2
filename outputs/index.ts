/** The outputs that Yarak brings along. A new one is a file in this folder and a line here. */
import { alertmanager } from './alertmanager.ts'
import { file } from './file.ts'
import { kafka } from './kafka.ts'
import { slack } from './slack.ts'
import { stdout } from './stdout.ts'
import { webhook } from './webhook.ts'

export const outputs = [alertmanager, file, kafka, slack, stdout, webhook]
