// Package protocol ships the machine-readable description of the contact-synchronization protocol: an OpenAPI 3.1 document
// and the JSON Schemas that it refers to. Tests check them against what our bridge sends, what the conformance check
// demands, and the code's own tables.
package protocol

import "embed"

// Files are openapi.yaml and the schemas, *.schema.json.
//
//go:embed openapi.yaml *.schema.json
var Files embed.FS
