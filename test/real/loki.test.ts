import { expect, test } from 'vitest'
import { loki } from './loki.ts'
import { until } from './part.ts'
import { describePart, running } from './vitest.ts'

interface Found {
  readonly data: { readonly result: readonly { readonly values: readonly (readonly [string, string])[] }[] }
}

describePart(loki, () => {
  const open = running(loki)
  const closed = running(loki, { tenants: true })

  const push = (url: string, line: string, headers: Record<string, string> = {}) => {
    const values = [[`${Date.now()}000000`, line]]
    const body = JSON.stringify({ streams: [{ stream: { source: 'syscall' }, values }] })
    return fetch(`${url}/loki/api/v1/push`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    })
  }

  test('finds a line by its label', async () => {
    const { url } = open()
    expect((await push(url, '{"rule":"x"}')).status).toBe(204)
    const query = `${url}/loki/api/v1/query_range?query=${encodeURIComponent('{source="syscall"}')}`
    const lines = await until('the line', async () => {
      const { data } = (await (await fetch(query)).json()) as Found
      return data.result[0]?.values.map(([, line]) => line)
    })
    expect(lines).toEqual(['{"rule":"x"}'])
  })

  test('asks for a tenant', async () => {
    const { url } = closed()
    expect((await push(url, 'x')).status).toBe(401)
    expect((await push(url, 'x', { 'X-Scope-OrgID': 'yarak' })).status).toBe(204)
  })
})
