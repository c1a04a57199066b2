/** The actions that Yarak brings along. */
import { evidenceSave } from './evidence-save.ts'
import { httpRequest } from './http-request.ts'
import { label } from './kubernetes/label.ts'
import { networkpolicy } from './kubernetes/networkpolicy.ts'
import { terminate } from './kubernetes/terminate.ts'
import { localScript } from './local-script.ts'
import { log } from './log.ts'

export const actions = [evidenceSave, httpRequest, label, networkpolicy, terminate, localScript, log]
