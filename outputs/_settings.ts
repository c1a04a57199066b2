/** Settings that several outputs share. */
import { secret, z } from '../src/plugin.ts'

/** An `http` or `https` address. */
export const httpUrl = () => z.url({ protocol: /^https?$/, error: 'must be an http or https address' })

/** {@link httpUrl} that is a secret as a whole, e.g. an incoming webhook. */
export const secretUrl = () => httpUrl().meta({ secret: true })

/** The address of a server, told in logs and spans: without credentials, query or fragment. */
export const serverUrl = () =>
  httpUrl().refine((text) => {
    if (!URL.canParse(text)) return true
    const { username, password, search, hash } = new URL(text)
    return !username && !password && !search && !hash
  }, 'must have no credentials, query or fragment; credentials go into headers')

/** RFC 9110, 5.6.2: the characters of a header's name. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** Visible ASCII, Latin-1, spaces and tabs: what a header may hold without injecting another. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Further request headers; they replace Yarak's own. Values are secrets. */
export const headers = () =>
  z
    .record(
      z.string().regex(HEADER_NAME, 'must be the name of an HTTP header'),
      secret().regex(HEADER_VALUE, 'must be one line of a header').meta({ secret: true }),
    )
    .default({})
