{{/*
The rights that the rules and outputs in use need, as JSON: what files/rights.json says of their actions, contexts and
outputs. Each is of one group and one resource; `namespace: own` is one in the namespace of the release only.
*/}}
{{- define "yarak.rights" -}}
{{- $all := dict "rights" list -}}
{{- $known := .Files.Get "files/rights.json" | fromJson -}}
{{- if .Values.rbac.rules -}}
{{- $_ := set $all "rights" .Values.rbac.rules -}}
{{- else -}}
{{- $mode := include "yarak.mode" . -}}
{{- range .Values.rules.builtin -}}
{{- $_ := set $all "rights" (concat $all.rights (index $known.builtin . $mode)) -}}
{{- end -}}
{{- range include "yarak.items" . | fromJsonArray -}}
{{- if kindIs "map" . -}}
{{- $own := ternary "observe" $mode (eq (toString .mode) "observe") -}}
{{- include "yarak.walk" (dict "node" . "mode" $own "known" $known "all" $all) -}}
{{- $text := toJson . -}}
{{- range $name, $rights := $known.contexts -}}
{{- $named := printf "context(\\.|\\[\\\\*[\"'])%s\\b|\"additional_contexts\":\\[[^]]*\"%s\"" $name $name -}}
{{- if regexMatch $named $text -}}
{{- $_ := set $all "rights" (concat $all.rights $rights) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $id, $config := default dict .Values.config.outputs -}}
{{- $type := splitList "/" $id | first -}}
{{- $needs := get $known.outputs $type -}}
{{- if $needs -}}
{{- include "yarak.needs" (dict "needs" $needs "with" (default dict $config) "mode" $mode "all" $all) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if include "yarak.shares" . -}}
{{- $_ := set $all "rights" (concat $all.rights $known.sharing.kubernetes) -}}
{{- end -}}
{{- include "yarak.merge" (concat $all.rights (default list .Values.rbac.extraRules)) -}}
{{- end -}}

{{/* The items of all rules files that are known here, as JSON. */}}
{{- define "yarak.items" -}}
{{- $items := list -}}
{{- range $name, $file := .Values.rules.files -}}
{{- $found := kindIs "string" $file | ternary (fromYamlArray (toString $file)) $file -}}
{{- if and (kindIs "string" $file) $found (kindIs "string" (first $found)) -}}
{{- fail (printf "rules.files.%s: is no list of rules: %s" $name (first $found)) -}}
{{- end -}}
{{- $items = concat $items (default list $found) -}}
{{- end -}}
{{- concat $items (default list .Values.config.rules) | toJson -}}
{{- end -}}

{{/* Adds to `all` what the steps need that stand anywhere in `node`. */}}
{{- define "yarak.walk" -}}
{{- $given := . -}}
{{- if kindIs "slice" .node -}}
{{- range .node -}}
{{- include "yarak.walk" (dict "node" . "mode" $given.mode "known" $given.known "all" $given.all) -}}
{{- end -}}
{{- else if kindIs "map" .node -}}
{{- $talon := hasKey .node "actionner" -}}
{{- $type := ternary .node.actionner .node.action $talon | toString -}}
{{- $needs := get .known.actions $type -}}
{{- if $needs -}}
{{- $with := ternary .node.parameters (get .node "with") $talon | default dict -}}
{{- include "yarak.needs" (dict "needs" $needs "with" $with "mode" .mode "all" .all) -}}
{{- end -}}
{{- range $key, $value := .node -}}
{{- if not (has $key (list "with" "parameters" "match" "params")) -}}
{{- include "yarak.walk" (dict "node" $value "mode" $given.mode "known" $given.known "all" $given.all) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Adds to `all` what a plugin needs with the settings `with`. A template may give any value. */}}
{{- define "yarak.needs" -}}
{{- $given := . -}}
{{- $rights := get .needs .mode -}}
{{- range default list .needs.cases -}}
{{- $there := hasKey $given.with .setting -}}
{{- $value := get $given.with .setting -}}
{{- $more := get . $given.mode -}}
{{- $holds := false -}}
{{- if eq .is "absent" }}{{ $holds = not $there }}
{{- else if eq .is "present" }}{{ $holds = $there }}
{{- else if eq .is "object" -}}
{{- if kindIs "map" $value }}{{ $holds = true }}{{ $more = include "yarak.ofObject" (dict "object" $value "rights" $more) | fromJsonArray }}{{ end -}}
{{- else if not $there -}}
{{- $holds = get . "default" -}}
{{- else -}}
{{- $wanted := toString .value -}}
{{- range (kindIs "slice" $value | ternary $value (list $value)) -}}
{{- if or (eq (toString .) $wanted) (contains "{{" (toString .)) }}{{ $holds = true }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if $holds }}{{ $rights = concat $rights $more }}{{ end -}}
{{- end -}}
{{- $_ := set .all "rights" (concat .all.rights $rights) -}}
{{- end -}}

{{/* The rights on an object by its apiVersion and kind; its resource is named as is usual. */}}
{{- define "yarak.ofObject" -}}
{{- $version := toString .object.apiVersion -}}
{{- $group := contains "/" $version | ternary (splitList "/" $version | first) "" -}}
{{- $resource := toString .object.kind | lower -}}
{{- if regexMatch "[^aeiou]y$" $resource }}{{ $resource = printf "%sies" (trimSuffix "y" $resource) }}
{{- else if regexMatch "(s|x|ch|sh)$" $resource }}{{ if ne $resource "endpoints" }}{{ $resource = printf "%ses" $resource }}{{ end }}
{{- else }}{{ $resource = printf "%ss" $resource }}
{{- end -}}
{{- $rights := list -}}
{{- range .rights }}{{ $rights = append $rights (mergeOverwrite (deepCopy .) (dict "apiGroups" (list $group) "resources" (list $resource))) }}{{ end -}}
{{- toJson $rights -}}
{{- end -}}

{{/* One right for each resource, with all verbs, sorted. */}}
{{- define "yarak.merge" -}}
{{- $merged := dict -}}
{{- range $right := . -}}
{{- range $group := $right.apiGroups -}}
{{- range $resource := $right.resources -}}
{{- $names := default list $right.resourceNames | sortAlpha -}}
{{- $key := printf "%s|%s|%s|%s|%s" (get $right "namespace") (get $right "warning") $group $resource (join "," $names) -}}
{{- $one := dict "apiGroups" (list $group) "resources" (list $resource) "verbs" list -}}
{{- if $names }}{{ $_ := set $one "resourceNames" $names }}{{ end -}}
{{- with get $right "namespace" }}{{ $_ := set $one "namespace" . }}{{ end -}}
{{- with get $right "warning" }}{{ $_ := set $one "warning" . }}{{ end -}}
{{- with get $merged $key }}{{ $one = . }}{{ end -}}
{{- $_ := set $one "verbs" (concat $one.verbs $right.verbs | uniq | sortAlpha) -}}
{{- $_ := set $merged $key $one -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $rights := list -}}
{{- range $_, $right := $merged }}{{ $rights = append $rights $right }}{{ end -}}
{{- toJson $rights -}}
{{- end -}}

{{/* "true" for a resource that is in no namespace, which a Role cannot grant. */}}
{{- define "yarak.isOfCluster" -}}
{{- if has (splitList "/" . | first) (list "nodes" "namespaces" "persistentvolumes" "clusterroles" "clusterrolebindings" "customresourcedefinitions" "clusterpolicyreports" "globalnetworkpolicies" "ciliumclusterwidenetworkpolicies") }}true{{ end -}}
{{- end -}}

{{/* The pods need a token. */}}
{{- define "yarak.hasToken" -}}
{{- if ne .Values.preset "gateway" }}true{{ end -}}
{{- end -}}
