package rest

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/contactbridge/contactbridge/source"
)

// signInField is the field of the connection that holds the access token.
const signInField = "access_token"

// signIn makes [source.Kind.SignIn]; nil where people cannot sign in.
func (p Preset) signIn() func(any) (source.SignIn, error) {
	if p.Language.SignIn.Client == "" {
		return nil
	}
	return func(cfg any) (source.SignIn, error) {
		var errs source.ConfigErrors
		v := reflect.ValueOf(cfg).Elem()
		p.keepsToService(v, &errs)
		values := p.plainValues(v, &errs)
		if err := errs.Err(); err != nil {
			return source.SignIn{}, err
		}
		return p.signInWith(values)
	}
}

// keepsToService refuses what could lead an access token elsewhere: of the language, only fields may be changed.
func (p Preset) keepsToService(cfg reflect.Value, errs *source.ConfigErrors) {
	for i := len(p.Language.Connection); i < cfg.NumField(); i++ {
		key, _, _ := strings.Cut(cfg.Type().Field(i).Tag.Get("yaml"), ",")
		errs.If(key != "fields" && !cfg.Field(i).IsZero(), key, key+" cannot be changed where a person signs in", "Leave it out: the preset says it. Only fields may be changed.")
	}
}

// plainValues returns the fields of the connection. They may hold no credential of a caller.
func (p Preset) plainValues(cfg reflect.Value, errs *source.ConfigErrors) scope {
	values := scope{}
	for i, f := range p.Language.Connection {
		value := cfg.Field(i).Interface().(source.Template)
		text := value.String()
		if f.Name == signInField {
			continue
		}
		if text == "" {
			values[f.Name] = f.Default
			continue
		}
		errs.If(len(value.Names()) > 0, f.Name, f.Name+" cannot be {{auth.…}} where a person signs in", "Write the value itself.")
		errs.If(f.Secret, f.Name, f.Name+" is not needed where a person signs in", "Leave it out.")
		pattern, err := regexp.Compile(f.Pattern)
		errs.If(f.Pattern != "" && err == nil && !pattern.MatchString(text), f.Name, f.Name+" is not valid", f.hint())
		values[f.Name] = text
	}
	return values
}

// signInWith fills the values in.
func (p Preset) signInWith(values scope) (source.SignIn, error) {
	s := p.Language.SignIn
	var errs source.ConfigErrors
	fill := func(t Text) string {
		for _, name := range t.names() {
			if textOf(values[name]) == "" {
				for _, f := range p.Language.Connection {
					errs.If(f.Name == name, name, name+" is missing", f.hint())
				}
			}
		}
		text, err := t.expand(values, nil)
		if err != nil {
			errs.Add(fmt.Errorf("fill in: %w", err))
		}
		return text
	}
	filled := source.SignIn{
		Client: s.Client, Title: p.Language.Title, AuthorizeURL: fill(s.AuthorizeURL), TokenURL: fill(s.TokenURL), Base: fill(p.Language.Base),
		Params: s.Params, InBasic: s.ClientIn == "basic",
	}
	for _, scope := range s.Scopes {
		filled.Scopes = append(filled.Scopes, fill(scope))
	}
	return filled, errs.Err()
}
