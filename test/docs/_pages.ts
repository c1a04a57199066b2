/** The documents, and the blocks of code in them. */
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../..')

/** Every Markdown page, by its path from the root. */
export const PAGES: readonly string[] = globSync(
  ['*.md', 'charts/**/*.md', 'config/**/*.md', 'inputs/*.md', 'outputs/*.md', 'src/**/*.md', 'test/bench/*.md'],
  { cwd: ROOT },
).sort()

export const textOf = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

export interface Block {
  readonly page: string
  /** Where it begins, from 1. */
  readonly line: number
  readonly language: string
  /** What stands after the language: in a tutorial the file that a reader saves it as. */
  readonly name: string
  readonly text: string
}

/** The fenced blocks of a page, in order. */
export const blocksIn = (page: string, text = textOf(page)): Block[] =>
  [...text.matchAll(/^( *)```([a-z]*)(?: +(\S+))?\n([^]*?)^\1```$/gm)].map((match) => {
    const [, indent = '', language = '', name = '', body = ''] = match
    const line = text.slice(0, match.index).split('\n').length
    return { page, line, language, name, text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), '') }
  })

/** A part of a page that a reader can do from its beginning to its end, in an empty folder. */
export interface Tutorial {
  readonly page: string
  /** What it needs beside the program: names of real parts. */
  readonly needs: readonly string[]
  readonly blocks: readonly Block[]
}

/** From `<!-- tutorial -->`, or `<!-- tutorial: kafka -->`, to `<!-- end of tutorial -->` or the end of the page. */
export const tutorialsIn = (page: string): Tutorial[] => {
  const text = textOf(page)
  return [...text.matchAll(/^<!-- tutorial(?:: ([a-z, ]+))? -->$([^]*?)(?:^<!-- end of tutorial -->$|(?![^]))/gm)].map(
    (match) => {
      const [, needs = '', part = ''] = match
      const before = text.slice(0, match.index).split('\n').length - 1
      const blocks = blocksIn(page, part).map((block) => ({ ...block, line: block.line + before }))
      return { page, needs: needs.split(/, */).filter(Boolean), blocks }
    },
  )
}

export const TUTORIALS: readonly Tutorial[] = PAGES.flatMap(tutorialsIn)
