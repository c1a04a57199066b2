/** Settings that several outputs share. */
import { requestHeaders, z } from '../src/plugin.ts'

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

/** Further request headers; they replace Yarak's own. Values are secrets. */
export const headers = () => requestHeaders().default({})
