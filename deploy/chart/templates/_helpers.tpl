{{- define "contactbridge.name" -}}{{ printf "%s-contactbridge" .Release.Name | replace "contactbridge-contactbridge" "contactbridge" | trunc 50 | trimSuffix "-" }}{{- end }}
{{- define "contactbridge.labels" -}}
app.kubernetes.io/name: contactbridge
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
{{- define "contactbridge.selector" -}}
app.kubernetes.io/name: contactbridge
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "contactbridge.secret" -}}{{ .Values.secret.existing | default (include "contactbridge.name" .) }}{{- end }}
{{- define "contactbridge.serviceAccount" -}}{{ .Values.serviceAccount.name | default (include "contactbridge.name" .) }}{{- end }}
{{- define "contactbridge.config" -}}
{{- $own := dict "listen" ":8090" "database" "${DATABASE}" "secrets" (dict "key_env" "KEY") "data" "/tmp" "metrics" (ternary "token" "local" .Values.serviceMonitor.enabled) -}}
{{- range $key := keys $own }}{{ if and (hasKey $.Values.config $key) (ne $key "metrics") }}{{ fail (printf "config.%s is set by the chart; remove it" $key) }}{{ end }}{{ end -}}
{{- with .Values.publicURL }}{{ $_ := set $own "public_url" . }}{{ end -}}
{{- toYaml (merge (deepCopy .Values.config) $own) -}}
{{- end }}
