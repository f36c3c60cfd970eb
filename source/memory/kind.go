package memory

import "github.com/contactbridge/contactbridge/source"

// Kind describes the kind.
func Kind() source.Kind {
	return source.KindOf(source.Kind{
		Name:    "memory",
		Family:  source.FamilyMemory,
		Title:   "Contacts in the configuration",
		Icon:    source.IconList,
		Fresh:   "The contacts are those of the configuration: nothing changes by itself.",
		Summary: "Contacts that stand in the configuration itself, to try without a database.",
		Docs: `The contacts are those of the file. They belong to their endpoint, by its name.

**Exact.** With ` + "`updated`" + ` a run sends what is newer than its checkpoint. Without it every change of the contacts sends all of
them again.`,
		Asked: "All contacts are looked through.",
		Example: `kind: memory
contacts:
  - id: 1
    name: Jane Doe
    company: Example Corp.
    emails: jane.doe@example.com
    phones: [(415) 555-2671, +351 21 000 0000]
    custom_fields: {Plan: gold}
    updated: 2024-05-01T09:00:00Z
  - id: 2
    name: João Pessoa
    phones: +351 912 345 678
    updated: 2024-05-02T10:30:00Z
`,
		Untrusted: source.Untrusted(func(Config) error { return nil }),
	}, New)
}
