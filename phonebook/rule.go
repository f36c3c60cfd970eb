package phonebook

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/source/record"
)

// A rule says who is in a book. The directory keeps it as text.
type rule struct {
	Integrations []string `json:"integrations,omitempty"` // empty: all
	Where        []string `json:"where,omitempty"`        // expressions that must all be true
}

func (r rule) text() string {
	r.Integrations = slices.Sorted(slices.Values(r.Integrations))
	b, _ := json.Marshal(r) // texts only
	return string(b)
}

// columns are the names by which an expression asks for a contact's fields, in the order of [values].
var columns = []string{
	"integration", "id", record.FieldName, record.FieldTitle, record.FieldCompany, record.FieldEmails, record.FieldPhones, record.FieldWebsites,
	record.FieldPhotoURL, record.FieldAddress, record.FieldTwitter, record.FieldURL, record.FieldCustom,
}

// A condition is a compiled expression over a contact.
type condition struct {
	expression *record.Expression
	rows       sync.Pool // of *record.Row
}

// compile compiles an expression. Its error is a [*failure.Error] without a field.
func compile(text string) (*condition, error) {
	compiler := record.Compiler{Lists: true}
	_, err := compiler.Expression("where", text, columns) // alone, for its messages
	var e *record.Expression
	if err == nil { // the brackets and the question make a truth value of anything
		e, err = compiler.Expression("where", "("+text+`) ? "yes" : ""`, columns)
	}
	if err == nil {
		return &condition{expression: e, rows: sync.Pool{New: func() any { return &record.Row{} }}}, nil
	}
	explained := &failure.Error{Code: failure.Invalid, Message: "the expression is not valid", Hint: "Write an expression over the contact's fields, such as  company != ''"}
	if mistake, ok := errors.AsType[*record.FieldError](err); ok {
		explained.Message, explained.Hint = mistake.Message, mistake.Hint
		if at := mistake.At; at > 0 && at <= len([]rune(text)) {
			explained.Message += fmt.Sprintf(" (character %d)", at)
		}
	}
	return nil, explained
}

// holds reports whether the expression is true of a contact. One that fails is not.
func (c *condition) holds(integration string, who *contact.Contact) bool {
	row := c.rows.Get().(*record.Row)
	defer c.rows.Put(row)
	text, err := c.expression.Text(row, values(integration, who))
	return err == nil && text != ""
}

// values are a contact's fields, as columns. Lists and objects are JSON.
func values(integration string, c *contact.Contact) [][]byte {
	custom := map[string]string{}
	for _, f := range c.CustomFields {
		if _, there := custom[f.Key]; !there {
			custom[f.Key] = f.Value
		}
	}
	list := func(values []string) []byte {
		if len(values) == 0 {
			return nil
		}
		b, _ := json.Marshal(values) // texts only
		return b
	}
	fields := []byte("{}")
	if len(custom) > 0 {
		fields, _ = json.Marshal(custom)
	}
	return [][]byte{
		[]byte(integration), []byte(c.ID), []byte(c.Name), []byte(c.Title), []byte(c.Company), list(c.Emails), list(c.Phones), list(c.Websites),
		[]byte(c.PhotoURL), []byte(c.Address), []byte(c.Twitter), []byte(c.URL), fields,
	}
}

// Judges says what the rules of phonebooks mean: see [directory.Judges].
func Judges(text string) (directory.Judge, error) {
	var r rule
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, fmt.Errorf("read the rule of a phonebook: %w", err)
	}
	conditions := make([]*condition, len(r.Where))
	for i, where := range r.Where {
		var err error
		if conditions[i], err = compile(where); err != nil {
			return nil, err
		}
	}
	return func(integration string, c *contact.Contact) bool {
		if len(r.Integrations) > 0 && !slices.Contains(r.Integrations, integration) {
			return false
		}
		return !slices.ContainsFunc(conditions, func(one *condition) bool { return !one.holds(integration, c) })
	}, nil
}

// CheckExpression returns what is wrong with an expression over a contact.
func CheckExpression(text string) error {
	_, err := compile(text)
	return err
}
