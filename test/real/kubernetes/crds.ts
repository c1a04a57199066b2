/** Definitions of the objects of other projects that Yarak makes or reads. */
import type { V1CustomResourceDefinition } from '@kubernetes/client-node'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

const folder = join(import.meta.dirname, 'crds')

/** Reads every definition in `crds/`. */
export const definitions = (): V1CustomResourceDefinition[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) => parseAllDocuments(readFileSync(join(folder, file), 'utf8')))
    .map((document) => document.toJS() as V1CustomResourceDefinition)
