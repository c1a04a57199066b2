/** What the groups of checks look at. */
import type { ConfigOptions, LoadedConfig } from '../config/index.ts'
import type { Lone } from '../cli/lone-io.ts'
import type { Finding } from './finding.ts'
import type { Running } from './running.ts'

/** A process and its files, a configuration, and the ways to ask others. */
export interface Patient {
  readonly options: ConfigOptions
  readonly env: Readonly<Record<string, string | undefined>>
  /** Milliseconds that one question may take. */
  readonly timeout: number
  readonly signal: AbortSignal
  /** The gateway that answers where the configuration listens. */
  readonly running: Running | undefined
  readonly lone: Lone
}

/** The parts of the process that checks look at. */
export interface ProcessFacts {
  /** Version of Node.js. */
  readonly node: string
  /** How many files may be open at once; undefined: not known, or without bound. */
  readonly openFiles: number | undefined
  /** Whether a package can be loaded. */
  has(name: string): boolean
  /** Whether a process of this machine lives. */
  lives(pid: number): boolean
}

export type Loaded = Pick<LoadedConfig, 'options' | 'problems' | 'document' | 'plugins'>

export type Findings = readonly Finding[]
