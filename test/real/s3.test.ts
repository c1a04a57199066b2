import { createHash, createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { s3, type S3Addresses } from './s3.ts'
import { describePart, running } from './vitest.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** A request signed by AWS Signature Version 4. */
const signed = ({ url, region, accessKeyId }: S3Addresses, secret: string, method: string, path: string, body = '') => {
  const time = new Date().toISOString().replace(/[:-]|\.\d{3}/g, '')
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`
  const names = 'host;x-amz-content-sha256;x-amz-date'
  const headers = `host:${new URL(url).host}\nx-amz-content-sha256:${sha256(body)}\nx-amz-date:${time}\n`
  const request = [method, path, '', headers, names, sha256(body)].join('\n')
  const key = [time.slice(0, 8), region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secret}`)
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(request)].join('\n')).toString('hex')
  const credential = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}`
  return fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `${credential}, SignedHeaders=${names}, Signature=${signature}`,
      'x-amz-content-sha256': sha256(body),
      'x-amz-date': time,
    },
    ...(method === 'PUT' ? { body } : {}),
  })
}

describePart(s3, () => {
  const at = running(s3, { buckets: ['captures'] })
  const path = '/captures/2026/shell.txt'

  test('stores a file and gives it back', async () => {
    const secret = at().secretAccessKey
    expect((await signed(at(), secret, 'PUT', path, 'evidence')).status).toBe(200)
    expect(await (await signed(at(), secret, 'GET', path)).text()).toBe('evidence')
    expect(readFileSync(join(at().folder, path), 'utf8')).toBe('evidence')
    expect((await signed(at(), secret, 'GET', '/elsewhere/x')).status).toBe(404)
  })

  test('refuses a wrong signature', async () => {
    const answer = await signed(at(), 'not the secret', 'PUT', path, 'evidence')
    expect(answer.status).toBe(403)
    expect(await answer.text()).toContain('SignatureDoesNotMatch')
  })
})
