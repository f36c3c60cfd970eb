package config

//go:generate sh -c "$DOLLAR{CONTACTBRIDGE_BINARY:-go run ../../cmd/contactbridge} config docs --output ../../docs/configuration.md"
//go:generate sh -c "$DOLLAR{CONTACTBRIDGE_BINARY:-go run ../../cmd/contactbridge} config schema --output ../../schema/bridge.schema.json"
