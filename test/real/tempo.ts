/** Tempo in one process, keeping its blocks in a folder: OTLP in, query API out. */
import { goPart } from './go.ts'
import { answers } from './launch.ts'
import { freePort } from './part.ts'
import { versions } from './versions.ts'

export interface TempoAddresses {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT` with `OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf` or `http/json`. */
  readonly otlpHttp: string
  /** Base of the query API: `/api/traces/<id>`; that of version 2 came later. */
  readonly queryUrl: string
}

/**
 * What Tempo's own main package does. That one relies on the order in which packages are initialised, which Go 1.21
 * changed: how Tempo encodes its messages has to be registered after how gRPC does.
 */
const MAIN = `package main

import (
	"flag"
	"os"

	"github.com/grafana/tempo/cmd/tempo/app"
	"github.com/grafana/tempo/pkg/util/log"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto"
	"gopkg.in/yaml.v2"
)

type codec struct{ encoding.Codec }

func (c codec) Marshal(v any) ([]byte, error) {
	if message, ok := v.(interface{ Marshal() ([]byte, error) }); ok {
		return message.Marshal()
	}
	return c.Codec.Marshal(v)
}

func (c codec) Unmarshal(data []byte, v any) error {
	if message, ok := v.(interface{ Unmarshal([]byte) error }); ok {
		return message.Unmarshal(data)
	}
	return c.Codec.Unmarshal(data, v)
}

func main() {
	encoding.RegisterCodec(codec{encoding.GetCodec("proto")})
	config := &app.Config{}
	config.RegisterFlagsAndApplyDefaults("", flag.CommandLine)
	text, err := os.ReadFile(os.Args[1])
	check(err)
	check(yaml.UnmarshalStrict(text, config))
	log.InitLogger(&config.Server)
	tempo, err := app.New(*config)
	check(err)
	check(tempo.Run())
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
`

/** The releases of Tempo 2 are no versions of its Go module: this is a commit that other modules require. */
export const tempo = goPart<TempoAddresses>({
  name: 'tempo',
  version: versions.tempo,
  module: 'github.com/grafana/tempo',
  moduleVersion: versions.tempoModule,
  // its assembly calls what Go's runtime keeps to itself since Go 1.23
  tags: ['purego'],
  main: MAIN,
  async begin(binary, run) {
    const [query, grpc, http] = await Promise.all([freePort(), freePort(), freePort()])
    run.spawn(binary, [run.file('tempo.yaml', config(run.dir, { query, grpc, http }))])
    const queryUrl = `http://127.0.0.1:${query}`
    await run.ready(answers(`${queryUrl}/ready`), 60_000)
    return { otlpHttp: `http://127.0.0.1:${http}`, queryUrl }
  },
})

/** The rings are in memory, and nothing waits for other members to join them. */
const config = (dir: string, port: { query: number; grpc: number; http: number }): string => `
server:
  http_listen_address: 127.0.0.1
  http_listen_port: ${port.query}
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: ${port.grpc}
distributor:
  ring: { instance_addr: 127.0.0.1, kvstore: { store: inmemory } }
  receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:${port.http}" } } } }
ingester:
  lifecycler:
    address: 127.0.0.1
    min_ready_duration: 0s
    ring: { replication_factor: 1, kvstore: { store: inmemory } }
metrics_generator: { ring: { instance_addr: 127.0.0.1, kvstore: { store: inmemory } } }
querier: { frontend_worker: { frontend_address: "127.0.0.1:${port.grpc}" } }
storage:
  trace: { backend: local, local: { path: ${dir}/blocks }, wal: { path: ${dir}/wal } }
usage_report: { reporting_enabled: false }
`
