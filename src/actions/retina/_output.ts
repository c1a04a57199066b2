/** Where Retina puts a capture, in its own words. */
import { z } from '../../plugin.ts'

const s3Upload = z.strictObject({
  bucket: z.string().min(1).describe('Name of the bucket.'),
  secretName: z.string().min(1).describe('Secret with `s3-access-key-id` and `s3-secret-access-key`.'),
  endpoint: z.string().optional().describe('Address of the service. Default that of AWS.'),
  region: z.string().optional().describe('Region of the bucket.'),
  path: z.string().optional().describe('Folder in the bucket.'),
})

/** @see https://retina.sh/docs/Captures/crd */
export const output = z
  .strictObject({
    hostPath: z
      .string()
      .min(1)
      .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), 'must be a path below, without ..')
      .optional()
      .describe('Folder on the node, below the one that Retina is set to.'),
    persistentVolumeClaim: z.string().min(1).optional().describe('A claim in the namespace of the pod.'),
    blobUpload: z
      .string()
      .min(1)
      .optional()
      .describe('Secret, in the namespace of the pod, with the SAS URL of a blob.'),
    s3Upload: s3Upload.optional().describe('A bucket, by secrets in the namespace of the pod.'),
  })
  .refine((places) => Object.keys(places).length > 0, 'must name at least one place')
  .describe('Where the capture is kept: one or more of these. Fixed text.')
