/** The file input of a gateway, to the end of the file. Arguments: the file, how many events it holds. */
import { file } from '../../inputs/file.ts'
import { createGateway } from '../../src/index.ts'

const [, , path = '', events = '0'] = process.argv
const gateway = createGateway({ inputs: [file({ path, from: 'beginning', once: true })] })
const started = performance.now()
await gateway.start()
await gateway.ended()
const seconds = (performance.now() - started) / 1_000
const text = await (await gateway.ops.request('/metrics')).text()
const settled = Number(/yarak_events_settled_total\{input="file"\} (\d+)/.exec(text)?.[1])
if (settled !== Number(events)) throw new Error(`${settled} of ${events} events were settled`)
await gateway.stop()
console.log(JSON.stringify({ bench: 'ended', rate: settled / seconds }))
