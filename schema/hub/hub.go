// Package hub ships the machine-readable description of the hub's API: an OpenAPI 3.1 document, generated from the code that
// answers it, as a running hub serves it at /api/v1/openapi.json.
package hub

import _ "embed"

//go:generate go run ./generate openapi.json

// OpenAPI is the document.
//
//go:embed openapi.json
var OpenAPI []byte
