package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console/view"
)

// givenFor is how long a password lets in that another user has set.
const givenFor = 7 * 24 * time.Hour

// userName says what is wrong with a name to sign in with; nil where nothing is.
func userName(name string) *view.Problem {
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		return &view.Problem{Field: "name", Message: "the name is missing", Hint: "Write the one to sign in with."}
	case n > 100:
		return &view.Problem{Field: "name", Message: "the name is too long", Hint: "Use 100 characters at most."}
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) && r != ' ' }):
		return &view.Problem{Field: "name", Message: "the name holds invisible characters", Hint: "Type it again."}
	}
	return nil
}

func (c *Console) users(q *request) error {
	if err := q.needAdmin(); err != nil {
		return err
	}
	list, err := c.hub.Registry.Users(q.Context())
	if err != nil {
		return err
	}
	q.page.Section = view.SectionUsers
	return q.show(http.StatusOK, "Users", view.UsersPage(q.page, list))
}

// findUser is the user that the path names.
func (q *request) findUser() (registry.User, error) {
	if err := q.needAdmin(); err != nil {
		return registry.User{}, err
	}
	list, err := q.console.hub.Registry.Users(q.Context())
	if err != nil {
		return registry.User{}, err
	}
	i := slices.IndexFunc(list, func(u registry.User) bool { return u.ID == q.PathValue("id") })
	if i < 0 {
		return registry.User{}, &failure.Error{Code: failure.NotFound, Message: "user not found", Hint: "Another user may have removed it. Look at the list."}
	}
	return list[i], nil
}

func (q *request) showUser(status int, f view.UserForm) error {
	if q.console.openID != nil {
		q.page.OpenID = q.console.openID.name
	}
	q.page.Section = view.SectionUsers
	title := "Add a user"
	if !f.New {
		title = f.Name
	}
	return q.show(status, title, view.UserPage(q.page, f))
}

func (c *Console) newUser(q *request) error {
	if err := q.needAdmin(); err != nil {
		return err
	}
	return q.showUser(http.StatusOK, view.UserForm{New: true})
}

func (c *Console) user(q *request) error {
	u, err := q.findUser()
	if err != nil {
		return err
	}
	return q.showUser(http.StatusOK, view.UserForm{User: u, Self: u.ID == q.user.ID})
}

// readUser reads what was typed of a user.
func (q *request) readUser(u *registry.User) (*view.Problem, error) {
	u.Name, u.Role = strings.TrimSpace(q.PostForm.Get("name")), registry.Role(q.PostForm.Get("role"))
	u.Email = strings.TrimSpace(q.PostForm.Get("email"))
	u.Accounts = strings.Fields(q.PostForm.Get("accounts"))
	slices.Sort(u.Accounts)
	u.Accounts = slices.Compact(u.Accounts)
	problem := userName(u.Name)
	if u.Email != "" && !strings.Contains(u.Email, "@") {
		problem = problem.With(&view.Problem{Field: "email", Message: "this is not an e-mail address", Hint: "Write it as jane@example.com, or leave it out."})
	}
	if scopes(u.Role) == nil {
		problem = problem.With(&view.Problem{Field: "role", Message: "the role is missing", Hint: "Choose one."})
	}
	accounts, err := q.console.hub.Accounts(q.Context())
	if err != nil {
		return nil, err
	}
	for _, name := range u.Accounts {
		if !slices.ContainsFunc(accounts, func(a registry.Account) bool { return a.Name == name }) {
			problem = problem.With(&view.Problem{Field: "accounts", Message: fmt.Sprintf("unknown account %q", name), Hint: "Check the name; names are case-sensitive."})
		}
	}
	return problem, nil
}

// put keeps a user, or shows the form again.
func (q *request) put(f view.UserForm, action, detail string) (done bool, err error) {
	keep := q.console.hub.Registry.ChangeUser
	if f.New {
		keep = q.console.hub.Registry.PutUser
	}
	err = keep(q.Context(), f.User)
	if errors.Is(err, registry.ErrExists) {
		f.Problem = &view.Problem{Field: "name", Message: "there is a user of this name", Hint: "Choose another one."}
		return false, q.showUser(http.StatusUnprocessableEntity, f)
	}
	if err != nil {
		return false, err
	}
	return true, q.note(action, f.Name, detail)
}

func userDetail(u registry.User) string {
	words := string(u.Role)
	if len(u.Accounts) > 0 {
		words += " of " + strings.Join(u.Accounts, ", ")
	}
	if u.Disabled {
		words += ", locked"
	}
	return words
}

func (c *Console) addUser(q *request) error {
	if err := q.needAdmin(); err != nil {
		return err
	}
	f := view.UserForm{New: true, User: registry.User{ID: newUserID(), Created: c.clock()}}
	problem, err := q.readUser(&f.User)
	if err != nil {
		return err
	}
	if f.Problem = problem; problem != nil {
		return q.showUser(http.StatusUnprocessableEntity, f)
	}
	password := ""
	if q.PostForm.Get("sign-in") != "openid" {
		password = invented()
		if f.Password, err = c.vault.hash(q.Context(), password, c.clock().Add(givenFor)); err != nil {
			return err
		}
	}
	if done, err := q.put(f, "user.add", userDetail(f.User)); err != nil || !done {
		return err
	}
	if password == "" {
		return q.redirect("/users", "changed")
	}
	return q.showPassword(f.User, password)
}

func (q *request) showPassword(u registry.User, password string) error {
	q.page.Section = view.SectionUsers
	return q.show(http.StatusOK, "Password of "+u.Name, view.Shown(q.page, view.Secret{
		Title: "Password of " + u.Name, Label: "Password", Value: password, Next: "/users", NextLabel: "Done",
		Says: []string{"Give it to them over a way that you trust. It lets in once, within a week, and asks for one of their own."},
	}))
}

func (c *Console) changeUser(q *request) error {
	u, err := q.findUser()
	if err != nil {
		return err
	}
	was := u
	f := view.UserForm{User: u, Self: u.ID == q.user.ID}
	problem, err := q.readUser(&f.User)
	if err != nil {
		return err
	}
	if !f.Self {
		f.Disabled = q.PostForm.Get("disabled") != ""
	}
	if problem == nil && f.Self && (f.Role != was.Role || !slices.Equal(f.Accounts, was.Accounts)) {
		problem = &view.Problem{Field: "role", Message: "you cannot change your own role or accounts", Hint: "Ask another administrator: so there is always one left."}
	}
	if f.Problem = problem; problem != nil {
		return q.showUser(http.StatusUnprocessableEntity, f)
	}
	if done, err := q.put(f, "user.change", userDetail(f.User)); err != nil || !done {
		return err
	}
	if f.Disabled && !was.Disabled || f.Role != was.Role || !slices.Equal(f.Accounts, was.Accounts) {
		if err := c.hub.Registry.DeleteSessions(q.Context(), f.ID, nil); err != nil {
			return err
		}
	}
	return q.redirect("/users", "changed")
}

// another returns a user other than oneself: users cannot lock themselves out.
func (q *request) another() (registry.User, error) {
	u, err := q.findUser()
	if err == nil && u.ID == q.user.ID {
		err = &failure.Error{Code: failure.Conflict, Message: "this is you", Hint: "Change your own password in the settings; another administrator can remove you."}
	}
	return u, err
}

func (c *Console) confirmPassword(q *request) error {
	u, err := q.another()
	if err != nil {
		return err
	}
	q.page.Section = view.SectionUsers
	return c.confirm(q, view.Confirmation{
		Title: "New password for " + u.Name, Button: "Make a new password", Cancel: "/users/" + u.ID,
		Says: []string{"The next page shows a password, once. The present one stops working, and " + u.Name + " is signed out everywhere."},
	})
}

func (c *Console) givePassword(q *request) error {
	u, err := q.another()
	if err != nil {
		return err
	}
	password := invented()
	encoded, err := c.vault.hash(q.Context(), password, c.clock().Add(givenFor))
	if err != nil {
		return err
	}
	err = c.hub.Registry.SetPassword(q.Context(), u.ID, u.Password, encoded)
	if errors.Is(err, registry.ErrNotFound) {
		return &failure.Error{Code: failure.Conflict, Message: u.Name + " was changed at the same moment", Hint: "Look at the list, and try again."}
	}
	if err != nil {
		return err
	}
	if err := c.hub.Registry.DeleteSessions(q.Context(), u.ID, nil); err != nil {
		return err
	}
	if err := q.note("user.password", u.Name, "given by an administrator"); err != nil {
		return err
	}
	return q.showPassword(u, password)
}

func (c *Console) confirmRemoveUser(q *request) error {
	u, err := q.another()
	if err != nil {
		return err
	}
	sessions, err := c.hub.Registry.Sessions(q.Context(), u.ID)
	if err != nil {
		return err
	}
	tokens, err := c.tokensOf(q, u)
	if err != nil {
		return err
	}
	says := []string{fmt.Sprintf("%s can sign in no more, and is signed out of %s now.", u.Name, q.page.Count(int64(len(sessions)), "browser", "browsers"))}
	if len(tokens) > 0 {
		says = append(says, "The API tokens that they made end: "+strings.Join(tokens, ", ")+". Make those that are still needed yourself first.")
	}
	q.page.Section = view.SectionUsers
	return c.confirm(q, view.Confirmation{
		Title: "Remove " + u.Name, Danger: true, Button: "Remove " + u.Name, Cancel: "/users/" + u.ID,
		Says: append(says, "What the audit log says of them stays."),
	})
}

// tokensOf returns the names of the tokens that a user made.
func (c *Console) tokensOf(q *request, u registry.User) (names []string, err error) {
	all, err := c.hub.Tokens(q.Context(), "")
	for _, t := range all {
		if t.Maker == u.ID {
			names = append(names, t.Name)
		}
	}
	return names, err
}

func (c *Console) removeUser(q *request) error {
	u, err := q.another()
	if err != nil {
		return err
	}
	if err := c.hub.Registry.DeleteUser(q.Context(), u.ID); err != nil {
		return err
	}
	if err := q.note("user.remove", u.Name, ""); err != nil {
		return err
	}
	return q.redirect("/users", "removed")
}
