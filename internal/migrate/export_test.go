package migrate

// Columns are the columns that are moved, by table.
func Columns() map[string][]string {
	all := map[string][]string{}
	for _, t := range append(registryTables(), directoryTables()...) {
		all[t.name] = t.names()
	}
	all[contactsTable.name] = append(all[contactsTable.name], wordsColumn.name)
	return all
}
