package rest

import (
	"fmt"
	"reflect"

	"github.com/contactbridge/contactbridge/source"
)

// untrusted implements [source.Kind.Untrusted].
func untrusted(l Language) error { return noFiles(l.Auth) }

// untrusted implements [source.Kind.Untrusted]: what the preset says itself can be trusted.
func (p Preset) untrusted(cfg any) error {
	if given, ok := valueOf(reflect.ValueOf(cfg).Elem(), "auth"); ok {
		ways, _ := given.Interface().([]Auth)
		return noFiles(ways)
	}
	return nil
}

// noFiles refuses ways to authenticate that read a file.
func noFiles(ways []Auth) error {
	var found source.ConfigErrors
	for i := range ways {
		if !ways[i].TokenFile.IsZero() {
			found.Add(source.OperatorOnly(fmt.Sprintf("auth[%d].token_file", i), "names a file of this machine"))
		}
	}
	return found.Err()
}
