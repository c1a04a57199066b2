{{/* Seconds of a duration such as 90s or 10m. */}}
{{- define "yarak.seconds" -}}
{{- $parts := toString . | regexFind "^[0-9.]+" | float64 -}}
{{- $unit := dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0 -}}
{{- mulf $parts (get $unit (toString . | regexFind "[a-z]+$") | default 1.0) | ceil | int -}}
{{- end -}}

{{/*
How long a stop may take: what `config.stopTimeout` says and 15 s, else the longest deadline of the rules, 10 minutes
where one sets none, and 30 s for the rest.
*/}}
{{- define "yarak.grace" -}}
{{- if not (kindIs "invalid" .Values.terminationGracePeriodSeconds) -}}
{{- .Values.terminationGracePeriodSeconds -}}
{{- else if regexMatch "^[0-9.]+[a-z]+$" (toString .Values.config.stopTimeout) -}}
{{- include "yarak.seconds" .Values.config.stopTimeout | int | add 15 -}}
{{- else -}}
{{- $longest := 0 -}}
{{- $builtin := (.Files.Get "files/rights.json" | fromJson).builtin -}}
{{- range .Values.rules.builtin }}{{ $longest = max $longest (index $builtin . "deadline" | int) }}{{ end -}}
{{- if .Values.rules.existingConfigMap }}{{ $longest = max $longest 600 }}{{ end -}}
{{- range include "yarak.items" . | fromJsonArray -}}
{{- if kindIs "map" . -}}
{{- if .deadline }}{{ $longest = max $longest (include "yarak.seconds" .deadline | int) }}
{{- else if hasKey . "rule" }}{{ $longest = max $longest 600 }}
{{- end -}}
{{- else }}{{ $longest = max $longest 600 }}
{{- end -}}
{{- end -}}
{{- add $longest 30 -}}
{{- end -}}
{{- end -}}

{{- define "yarak.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "yarak.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "yarak.env" -}}
- name: POD_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
{{- with .Values.otlp }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_EXPORTER_OTLP_PROTOCOL
  value: {{ .protocol | quote }}
{{- if .headersSecret.name }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom: { secretKeyRef: { name: {{ .headersSecret.name | quote }}, key: {{ .headersSecret.key | quote }} } }
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.proxy }}
{{- if .http }}
- name: HTTP_PROXY
  value: {{ .http | quote }}
{{- end }}
{{- if .https }}
- name: HTTPS_PROXY
  value: {{ .https | quote }}
{{- end }}
{{- if or .http .https }}
- name: NO_PROXY
  value: {{ list "localhost,127.0.0.1,.svc,.cluster.local,$(KUBERNETES_SERVICE_HOST)" .noProxy | compact | join "," | quote }}
{{- end }}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* One folder for the configuration and its rules, so that no mount stands in another. */}}
{{- define "yarak.configVolume" -}}
name: config
projected:
  sources:
    - secret:
        name: {{ include "yarak.configSecret" . | quote }}
    {{- with .Values.rules.files }}
    - configMap:
        name: {{ include "yarak.fullname" $ }}-rules
        items:
          {{- range $name, $_ := . }}
          - { key: {{ $name | quote }}, path: {{ printf "rules/%s" $name | quote }} }
          {{- end }}
    {{- end }}
{{- end -}}

{{/* The volume of the journal, where it is no template of a StatefulSet. */}}
{{- define "yarak.dataVolume" -}}
{{- if not (include "yarak.persistent" .) }}
- name: data
  emptyDir: { sizeLimit: {{ .Values.journal.size }} }
{{- else if .Values.journal.existingClaim }}
- name: data
  persistentVolumeClaim: { claimName: {{ .Values.journal.existingClaim | quote }} }
{{- end }}
{{- end -}}

{{- define "yarak.mounts" -}}
- { name: config, mountPath: /etc/yarak, readOnly: true }
- { name: data, mountPath: /var/lib/yarak }
- { name: tmp, mountPath: /tmp }
{{- if .Values.rules.existingConfigMap }}
- { name: rules, mountPath: /etc/yarak-rules, readOnly: true }
{{- end }}
{{- if include "yarak.tlsSecret" . }}
- { name: tls, mountPath: /etc/yarak-tls, readOnly: true }
{{- end }}
{{- with .Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "yarak.volumes" -}}
- {{- include "yarak.configVolume" . | nindent 2 }}
{{- include "yarak.dataVolume" . }}
- name: tmp
  emptyDir: {}
{{- with .Values.rules.existingConfigMap }}
- name: rules
  configMap: { name: {{ . | quote }} }
{{- end }}
{{- with include "yarak.tlsSecret" . }}
- name: tls
  secret: { secretName: {{ . | quote }} }
{{- end }}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "yarak.ports" -}}
- { name: http, containerPort: 2801 }
{{- if include "yarak.tlsSecret" . }}
- { name: ops, containerPort: 2810 }
{{- end }}
{{- end -}}

{{/* The template of the pods. */}}
{{- define "yarak.pod" -}}
metadata:
  labels:
    {{- include "yarak.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- include "yarak.texts" . | nindent 4 }}
    {{- end }}
  annotations:
    {{- if not .Values.existingSecret }}
    checksum/config: {{ include "yarak.config" . | sha256sum }}
    {{- end }}
    kubectl.kubernetes.io/default-container: yarak
    {{- with .Values.podAnnotations }}
    {{- include "yarak.texts" . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "yarak.account" . | quote }}
  automountServiceAccountToken: {{ include "yarak.hasToken" . | eq "true" }}
  terminationGracePeriodSeconds: {{ include "yarak.grace" . }}
  securityContext:
    {{- include "yarak.podSecurity" . | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: yarak
      image: {{ include "yarak.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      securityContext:
        {{- include "yarak.containerSecurity" . | nindent 8 }}
      env:
        {{- include "yarak.env" . | nindent 8 }}
      {{- with .Values.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        {{- include "yarak.ports" . | nindent 8 }}
      {{- if include "yarak.takesHttp" . }}
      # Falco does not send again: what is still on its way to this pod is taken while the Service forgets it, for 5 s with
      # the start of this process.
      lifecycle: { preStop: { exec: { command: [node, -e, 'setTimeout(() => {}, 4000)'] } } }
      {{- end }}
      startupProbe:
        httpGet: { path: /livez, port: {{ include "yarak.opsPort" . }} }
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /livez, port: {{ include "yarak.opsPort" . }} }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /readyz, port: {{ include "yarak.opsPort" . }} }
        periodSeconds: 5
        timeoutSeconds: 5
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        {{- include "yarak.mounts" . | nindent 8 }}
  volumes:
    {{- include "yarak.volumes" . | nindent 4 }}
  {{- pick .Values "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" | toYaml | nindent 2 }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
{{- end -}}
