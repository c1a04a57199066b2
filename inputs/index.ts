/** The inputs that Yarak brings along. */
import { file } from './file.ts'
import { http } from './http.ts'
import { kafka } from './kafka.ts'
import { stdin } from './stdin.ts'

export const inputs = [file, http, kafka, stdin]
