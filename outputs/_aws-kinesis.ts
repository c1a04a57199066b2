/** Records to a stream that speaks the protocol of AWS Kinesis. */
import { type FailedItem, inChunks, type Io, type Notice, type Sender, targetOf, wholeOrEach } from '../src/plugin.ts'
import { awsJson, type AwsService, refusedItem } from './_aws-call.ts'
import { refused, sendParts } from './_parts.ts'
import { payload } from './_payload.ts'
import { jsonWithin } from './_shrink.ts'

/** Of one request, as `PutRecords` and every stream take it; bytes of data and keys. */
const REQUEST = { count: 500, size: 5 * 1024 * 1024 }
/** Bytes of one record that a stream takes where nothing else is set for it: 1 MiB, with its key. */
const MAX_DATA = 1024 * 1024 - 1_024

interface StreamRecord {
  readonly Data: string
  readonly PartitionKey: string
}

/** Records about one target are in one shard, in order; the key is at most 256 characters. */
const recordOf = (notice: Notice): StreamRecord => ({
  Data: Buffer.from(jsonWithin(payload(notice), MAX_DATA)).toString('base64'),
  PartitionKey: (targetOf(notice.event).key ?? notice.event.id).slice(0, 256).toWellFormed() || 'none',
})

const sizeOf = ({ Data, PartitionKey }: StreamRecord): number => Data.length * 0.75 + Buffer.byteLength(PartitionKey)

/** The sender of an output that writes into a stream. */
export const streamSender = (service: AwsService, StreamName: string, io: Io): Sender => {
  const put = async (Records: readonly StreamRecord[], signal: AbortSignal): Promise<void> => {
    const call = { target: 'Kinesis_20131202.PutRecords', version: '1.1', body: { StreamName, Records } } as const
    const error = refused(failedRecords(await awsJson(service, call, io, signal)), Records.length, 'records')
    if (error) throw error
  }
  return {
    send: (notices, signal) =>
      sendParts(inChunks(notices.map(recordOf), REQUEST, sizeOf), (part) =>
        wholeOrEach(part, (some) => put(some, signal)),
      ),
  }
}

interface Result {
  readonly ErrorCode?: string
  readonly ErrorMessage?: string
}

/** The answer has one result for each record, in their order. */
const failedRecords = ({ Records = [] }: { readonly Records?: unknown }): FailedItem[] =>
  (Records as readonly Result[]).flatMap(({ ErrorCode: code, ErrorMessage: message }, index) =>
    code ? [refusedItem(index, code, message)] : [],
  )
