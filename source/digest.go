package source

import (
	"encoding"
	"encoding/hex"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/source/record"
)

// Settings decide which contacts a source reads and what they look like, by dotted key. Its checkpoints belong to them (D10). They
// hold no password and no token.
type Settings map[string]string

// SettingsOf returns the settings of a kind's configuration, a struct with yaml tags. Keys that are not set are left out,
// so that a key that is added later changes nothing for those who do not use it. A field tagged digest:"-" is left out too:
// it does not change what is read, or it holds credentials. kind is the kind's name, so that no kind takes the checkpoints of
// another; a preset is a key of its kind's configuration and counts as any other key. revision is the kind's mapping
// revision: a number that is raised when the same configuration begins to make other contacts of the same data, and never
// otherwise, so that an upgrade has everything read again only where that is needed.
func SettingsOf(kind string, revision int, cfg any) Settings {
	s := Settings{"kind": kind, "revision": strconv.Itoa(revision)}
	s.collect("set", reflect.ValueOf(cfg))
	return s
}

// With returns the settings with others added: those of the connection, which names the tenant. Empty ones are left out.
func (s Settings) With(others Settings) Settings {
	all := maps.Clone(s)
	for key, value := range others {
		if value != "" {
			all[key] = value
		}
	}
	return all
}

// Digest returns a text that is the same for the same settings, in every process and version, and differs for any others.
func (s Settings) Digest() string {
	texts := make([]string, 0, 2*len(s))
	for _, key := range slices.Sorted(maps.Keys(s)) {
		texts = append(texts, key, s[key])
	}
	sum := DigestOf(texts...)
	return hex.EncodeToString(sum[:])
}

// collect adds what a value holds below a key.
func (s Settings) collect(key string, v reflect.Value) {
	if !v.IsValid() || v.IsZero() {
		return
	}
	if marshaler, ok := v.Interface().(encoding.TextMarshaler); ok {
		if text, err := marshaler.MarshalText(); err == nil && len(text) > 0 {
			s[key] = string(text)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		s.collect(key, v.Elem())
	case reflect.Struct:
		s.collectFields(key, v)
	case reflect.Slice, reflect.Array:
		if fields, ok := v.Interface().(record.CustomFields); ok {
			s.collectCustom(key, fields)
			return
		}
		for i := range v.Len() {
			s.collect(key+"."+strconv.Itoa(i), v.Index(i))
		}
	case reflect.Map:
		for _, name := range v.MapKeys() {
			s.collect(key+"."+name.String(), v.MapIndex(name))
		}
	case reflect.Bool:
		s[key] = strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s[key] = strconv.FormatInt(v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s[key] = strconv.FormatUint(v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		s[key] = strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case reflect.String:
		s[key] = v.String()
	default:
		panic("source: a configuration cannot hold a " + v.Kind().String()) // a defect of the kind, seen by any test of it
	}
}

func (s Settings) collectFields(key string, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() || field.Tag.Get("digest") == "-" {
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case name == "-":
		case options == "inline":
			s.collect(key, v.Field(i))
		case name == "":
			s.collect(key+"."+strings.ToLower(field.Name), v.Field(i))
		default:
			s.collect(key+"."+name, v.Field(i))
		}
	}
}

// collectCustom adds custom fields by their keys: the order in which they are written changes no contact.
func (s Settings) collectCustom(key string, fields record.CustomFields) {
	for _, field := range fields {
		s.collect(key+"."+strconv.Quote(field.Key), reflect.ValueOf(field))
	}
}
