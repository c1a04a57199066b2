/** The contexts that Yarak brings along. */
import { aws } from './aws.ts'
import { k8snode } from './k8snode.ts'
import { pod } from './pod.ts'

export const contexts = [aws, k8snode, pod]
