package filetest

// Object returns a record of the suite of files as a JSON object, for formats that hold objects: its name within an object, its
// addresses and numbers in lists, and without empty values. See [github.com/contactbridge/contactbridge/source/sourcetest.File].
func Object(columns, values []string) map[string]any {
	object := map[string]any{}
	for i, value := range values {
		if value == "" {
			continue
		}
		switch column := columns[i]; column {
		case "name":
			object["name"] = map[string]any{"full": value}
		case "email", "email2":
			appendTo(object, "emails", value)
		case "phone", "mobile":
			appendTo(object, "phones", value)
		case "website":
			appendTo(object, "websites", value)
		default:
			object[column] = value
		}
	}
	return object
}

func appendTo(object map[string]any, key, value string) {
	list, _ := object[key].([]string)
	object[key] = append(list, value)
}
