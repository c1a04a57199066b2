/** What `npm run real -- --list` shows. */
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { styleText } from 'node:util'
import Table from 'cli-table3'
import { type Entry } from './index.ts'

export interface Row {
  readonly name: string
  readonly versions: readonly string[]
  readonly state: 'cached' | 'to be got' | 'missing'
  readonly bytes: number
  /** Why it cannot be had, when it is missing. */
  readonly reason?: string
  readonly files: readonly string[]
}

/** The state of every part, without getting anything. */
export const rows = (entries: readonly Entry[]): Row[] =>
  entries.map(({ part, versions = [part.version] }) => {
    const reason = part.missing()
    const files = part.cached()
    const state = reason !== undefined ? 'missing' : files.every((file) => existsSync(file)) ? 'cached' : 'to be got'
    const bytes = files.reduce((sum, file) => sum + sizeOf(file), 0)
    return { name: part.name, versions, state, bytes, files, ...(reason === undefined ? {} : { reason }) }
  })

/** The space that a file or folder takes; links are not followed. */
const sizeOf = (path: string): number => {
  const status = lstatSync(path, { throwIfNoEntry: false })
  if (!status?.isDirectory()) return status?.size ?? 0
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}

const noLinesBetweenRows = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' }

const colours = { cached: 'green', 'to be got': 'yellow', missing: 'red' } as const

export const table = (list: readonly Row[]): string => {
  const style = process.stdout.hasColors?.() ? { head: ['bold'], border: ['dim'] } : { head: [], border: [] }
  const shown = new Table({ head: ['part', 'version', 'state', 'size'], style, chars: noLinesBetweenRows })
  for (const { name, versions, state, bytes, reason } of list) {
    const status = styleText(colours[state], state, { stream: process.stdout })
    shown.push([name, versions.join(', '), reason ? `${status}: ${reason}` : status, bytes ? megabytes(bytes) : ''])
  }
  const total = list.reduce((sum, { bytes }) => sum + bytes, 0)
  return `${shown.toString()}\n${megabytes(total)} in all`
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
