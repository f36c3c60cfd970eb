package config

//go:generate go run ../../cmd/contactbridge config docs --output ../../docs/configuration.md
//go:generate go run ../../cmd/contactbridge config schema --output ../../schema/bridge.schema.json
