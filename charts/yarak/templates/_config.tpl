{{/* What the values cannot say together; each message names the value. */}}
{{- define "yarak.check" -}}
{{- $values := .Values -}}
{{- $rules := or $values.rules.files $values.rules.builtin $values.rules.existingConfigMap $values.config.rules -}}
{{- if and (eq $values.preset "gateway") $rules -}}
{{- fail "preset: a gateway has no rules; take preset both, or leave out rules and config.rules" -}}
{{- end -}}
{{- range $name, $_ := $values.rules.files -}}
{{- if not (regexMatch "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,240}\\.ya?ml$" $name) -}}
{{- fail (printf "rules.files: %s is no name of a rules file; one is of letters, digits, . _ and -, begins with no dot, and ends in .yaml" $name) -}}
{{- end -}}
{{- end -}}
{{- if and $values.autoscaling.enabled $values.keda.enabled -}}
{{- fail "autoscaling.enabled, keda.enabled: one of them only, both set the number of pods" -}}
{{- end -}}
{{- if $values.keda.enabled -}}
{{- if not (or $values.keda.maxReplicas $values.keda.partitions) -}}
{{- fail "keda.partitions: say how many partitions the topics have together, or set keda.maxReplicas" -}}
{{- end -}}
{{- if not (include "yarak.triggers" . | fromYamlArray) -}}
{{- fail "keda.triggers: no topic of a Kafka input is known (config.inputs.kafka, brokers and topics by name); give the triggers" -}}
{{- end -}}
{{- end -}}
{{- if and (include "yarak.tlsSecret" .) $values.config.listen -}}
{{- fail "tls, config.listen: one of them only; tls makes the listeners itself" -}}
{{- end -}}
{{- if and $values.config.listen (not (regexMatch ":2801\\b|\\$\\{" (toJson $values.config.listen))) -}}
{{- fail "config.listen: the Service and the probes are at port 2801 of the pod; listen there, e.g. at 0.0.0.0:2801" -}}
{{- end -}}
{{- if and $values.tls.certManager.enabled (not $values.tls.certManager.issuerRef.name) -}}
{{- fail "tls.certManager.issuerRef.name: who issues the certificate?" -}}
{{- end -}}
{{- if and $values.journal.existingClaim (gt (include "yarak.most" . | int) 1) -}}
{{- fail "journal.existingClaim: a claim is for a single pod; leave it out, and each pod gets a claim of its own" -}}
{{- end -}}
{{- if and (eq $values.preset "gateway") (include "yarak.rights" . | fromJsonArray) -}}
{{- fail "preset: a gateway has no rights in the cluster, and config.claims or an output under config.outputs needs some; take preset both" -}}
{{- end -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs: name the Gateway" -}}
{{- end -}}
{{- if and $values.ingress.enabled (not $values.ingress.hosts) -}}
{{- fail "ingress.hosts: name a host" -}}
{{- end -}}
{{- end -}}

{{- define "yarak.mode" -}}
{{- $mode := default "observe" .Values.config.mode -}}
{{- if not (has $mode (list "observe" "enforce")) }}{{ fail "config.mode: observe or enforce; the rights depend on it, so that no variable can say it" }}{{ end -}}
{{- $mode -}}
{{- end -}}

{{/* The most pods that there can be. */}}
{{- define "yarak.most" -}}
{{- if .Values.autoscaling.enabled -}}{{ .Values.autoscaling.maxReplicas }}
{{- else if .Values.keda.enabled -}}{{ default .Values.keda.partitions .Values.keda.maxReplicas }}
{{- else -}}{{ .Values.replicas }}
{{- end -}}
{{- end -}}

{{/* Something else than `replicas` says how many pods there are. */}}
{{- define "yarak.scaled" -}}
{{- if or .Values.autoscaling.enabled .Values.keda.enabled }}true{{ end -}}
{{- end -}}

{{/* The inputs, as JSON: those given, else that of the preset. */}}
{{- define "yarak.inputs" -}}
{{- if .Values.config.inputs -}}{{ toJson .Values.config.inputs }}
{{- else if eq .Values.preset "responder" -}}{}
{{- else -}}{"http":{}}
{{- end -}}
{{- end -}}

{{/* "true" where what is accepted is on a volume that outlives the pod. */}}
{{- define "yarak.persistent" -}}
{{- $kept := false -}}
{{- range $id, $_ := include "yarak.inputs" . | fromJson -}}
{{- if has (splitList "/" $id | first) (list "http" "file" "stdin") }}{{ $kept = true }}{{ end -}}
{{- end -}}
{{- if and $kept (not .Values.journal.ephemeral) }}true{{ end -}}
{{- end -}}

{{/* "true" where events are posted. */}}
{{- define "yarak.takesHttp" -}}
{{- range $id, $_ := include "yarak.inputs" . | fromJson }}{{ if eq (splitList "/" $id | first) "http" }}true{{ end }}{{ end -}}
{{- end -}}

{{/*
"true" where pods agree in the cluster on who answers what: where there are several, or the journal goes with its pod, so
that the next one (at an upgrade both are there) knows of nothing else what was done.
*/}}
{{- define "yarak.shares" -}}
{{- $several := or (gt (include "yarak.most" . | int) 1) (eq (include "yarak.kind" .) "Deployment") -}}
{{- if or .Values.config.claims (and $several (ne .Values.preset "gateway")) }}true{{ end -}}
{{- end -}}

{{- define "yarak.kind" -}}
{{- if include "yarak.persistent" . }}StatefulSet{{ else }}Deployment{{ end -}}
{{- end -}}

{{/* Where it listens. Not every node speaks IPv6, so that is only done where the Service does. */}}
{{- define "yarak.host" -}}
{{- if or (contains "DualStack" .Values.ipFamilyPolicy) (has "IPv6" .Values.ipFamilies) }}[::]{{ else }}0.0.0.0{{ end -}}
{{- end -}}

{{- define "yarak.listen" -}}
{{- $host := include "yarak.host" . -}}
{{- if include "yarak.tlsSecret" . -}}
{{- $ops := list "/healthz" "/livez" "/readyz" "/metrics" -}}
{{- $tls := dict "certFile" "/etc/yarak-tls/tls.crt" "keyFile" "/etc/yarak-tls/tls.key" "clientAuth" .Values.tls.clientAuth -}}
{{- if ne .Values.tls.clientAuth "none" }}{{ $_ := set $tls "caFile" "/etc/yarak-tls/ca.crt" }}{{ end -}}
{{- list (dict "address" (printf "%s:2801" $host) "tls" $tls "exceptPaths" $ops) (dict "address" (printf "%s:2810" $host) "inputs" list "paths" $ops) | toJson -}}
{{- else -}}
{{- printf "%s:2801" $host | toJson -}}
{{- end -}}
{{- end -}}

{{/* The rules files by their paths in the container, then those of the configuration. */}}
{{- define "yarak.ruleList" -}}
{{- $all := list -}}
{{- range .Values.rules.builtin }}{{ $all = append $all (printf "/app/config/rules/%s.yaml" .) }}{{ end -}}
{{- if .Values.rules.existingConfigMap }}{{ $all = append $all "/etc/yarak-rules/*.yaml" }}{{ end -}}
{{- range $name, $_ := .Values.rules.files }}{{ $all = append $all (printf "/etc/yarak/rules/%s" $name) }}{{ end -}}
{{- concat $all (default list .Values.config.rules) | toJson -}}
{{- end -}}

{{/* The configuration as it is run: the preset's defaults, and over them what is given. */}}
{{- define "yarak.config" -}}
{{- $config := dict "version" 1 "mode" "observe" "dataDir" "/var/lib/yarak" -}}
{{- /* 5 s of the grace period are for `preStop`, and the last 10 s for the journal and the exporters. */ -}}
{{- $_ := include "yarak.grace" . | int | add -15 | max 1 | printf "%ds" | set $config "stopTimeout" -}}
{{- $_ := set $config "listen" (index (printf "[%s]" (include "yarak.listen" .) | fromJsonArray) 0) -}}
{{- $_ := set $config "inputs" (include "yarak.inputs" . | fromJson) -}}
{{- if gt (include "yarak.most" . | int) 1 -}}
{{- $_ := set $config "guards" (dict "replicas" (include "yarak.most" . | int)) -}}
{{- end -}}
{{- if include "yarak.shares" . }}{{ $_ := set $config "claims" "kubernetes" }}{{ end -}}
{{- if and .Values.rbac.namespaces (ne .Values.preset "gateway") -}}
{{- $_ := set $config "resources" (dict "kubernetes" (dict "namespaces" .Values.rbac.namespaces)) -}}
{{- end -}}
{{- $config = mergeOverwrite $config (omit .Values.config "rules" "inputs" | deepCopy) -}}
{{- with include "yarak.ruleList" . | fromJsonArray }}{{ $_ := set $config "rules" . }}{{ end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* One trigger for each topic of a Kafka input that is named by its name. */}}
{{- define "yarak.triggers" -}}
{{- $triggers := default list .Values.keda.triggers -}}
{{- if not $triggers -}}
{{- $keda := .Values.keda -}}
{{- range $id, $input := include "yarak.inputs" . | fromJson -}}
{{- if and (eq (splitList "/" $id | first) "kafka") (kindIs "map" $input) -}}
{{- $brokers := join "," (default list $input.brokers) -}}
{{- if not (contains "${" $brokers) -}}
{{- range default list $input.topics -}}
{{- if not (or (hasPrefix "/" .) (contains "${" .)) -}}
{{- $policy := eq (default "latest" $input.from) "earliest" | ternary "earliest" "latest" -}}
{{- $metadata := dict "bootstrapServers" $brokers "consumerGroup" (default "yarak" $input.groupId) "topic" . "lagThreshold" (toJson $keda.lagThreshold) "offsetResetPolicy" $policy -}}
{{- $trigger := dict "type" "kafka" "metadata" (mergeOverwrite $metadata (deepCopy $keda.metadata)) -}}
{{- with $keda.authenticationRef }}{{ $_ := set $trigger "authenticationRef" (dict "name" .) }}{{ end -}}
{{- $triggers = append $triggers $trigger -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $triggers -}}
{{- end -}}
