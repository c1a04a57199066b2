{{- define "yarak.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 52 characters: a pod of a StatefulSet is named by it, an ordinal and a hash in a label. */}}
{{- define "yarak.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "yarak.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "yarak.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "yarak.selector" -}}
app.kubernetes.io/name: {{ include "yarak.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Of the pod of `helm test`. */}}
{{- define "yarak.testSelector" -}}
app.kubernetes.io/name: {{ include "yarak.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "yarak.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "yarak.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* apiVersion and metadata are much alike everywhere: dict "root" . "name"? "labels"? "annotations"? */}}
{{- define "yarak.metadata" -}}
name: {{ default (include "yarak.fullname" .root) .name }}
namespace: {{ default .root.Release.Namespace .namespace }}
labels:
  {{- include "yarak.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- include "yarak.texts" . | nindent 2 }}
  {{- end }}
{{- with .annotations }}
annotations:
  {{- include "yarak.texts" . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "yarak.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "yarak.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "yarak.image" -}}
{{- with .Values.image -}}
{{- with .registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "yarak.configSecret" -}}
{{- default (include "yarak.fullname" .) .Values.existingSecret -}}
{{- end -}}

{{- define "yarak.tlsSecret" -}}
{{- if .Values.tls.secretName -}}{{ .Values.tls.secretName -}}
{{- else if .Values.tls.certManager.enabled -}}{{ include "yarak.fullname" . }}-tls
{{- end -}}
{{- end -}}

{{/* The name of the port at which health and metrics are. */}}
{{- define "yarak.opsPort" -}}
{{- if include "yarak.tlsSecret" . }}ops{{ else }}http{{ end -}}
{{- end -}}

{{/* Labels or annotations: texts, also where a value is written as a number or as true. */}}
{{- define "yarak.texts" -}}
{{- range $key, $value := . }}
{{ $key | quote }}: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
{{- end -}}
