package source

// A Kind is one kind of external service, as its own package describes it. Everything that the rest of the program shows or
// decides about a kind comes from here; only source/kinds lists them.
type Kind struct {
	Name   string // as written after "kind:" in a configuration
	Family string // one of the families below
	// Title is what people call it, in a catalogue: "MariaDB or MySQL".
	Title string
	// Icon says what a catalogue draws for it: one of the icons below.
	Icon string
	// Fresh says what a run reads of it, and thus how soon a change is seen: a sentence or two.
	Fresh string
	// Summary is one line for lists.
	Summary string
	// Docs is Markdown for the reference: what the kind reads, and what it promises (exact, or overlap and why). The table
	// of its keys is generated from Config.
	Docs string
	// Example is the source of an endpoint in YAML, one key a line, with its key "kind".
	Example string
	// CallerExample is one line of YAML in which the caller's credentials open the source. Empty where no key of the kind
	// may hold {{auth.name}}.
	CallerExample string
	// OpenTo says who may read with "auth: source", where the external service checks no credentials: "anyone who knows a
	// file's name". Empty where it checks them.
	OpenTo string
	// Preset is the text of a kind that is a preset of another one; empty for any other.
	Preset string
	// Config returns a pointer to an empty configuration of this kind: a struct with the tags that strictyaml reads. It has
	// no key "kind". A configuration may be a [Titled].
	Config func() any
	// New makes an endpoint's factory. decode fills the kind's configuration from the endpoint's "source", without its key
	// "kind", and must refuse unknown keys. Mistakes are returned as [ConfigError], or as the error of decode. Neither
	// New nor decode connects to anything.
	New func(decode func(into any) error, deps Deps) (Factory, error)
	// NewAgents makes the factory of what stands below an endpoint's agents, where the kind knows the users of the external service and
	// those are no contacts: the same configuration, but it reads users. nil: New reads them as any other contacts.
	NewAgents func(decode func(into any) error, deps Deps) (Factory, error)
	// Untrusted says what is wrong with a configuration, a pointer as Config returns it, that was written by somebody who may have this process ask
	// external services of theirs, and nothing else: it reads no file of this machine and opens no socket of it, and its DSN has no
	// setting that is not known to be harmless. nil: such people cannot use this kind.
	Untrusted func(cfg any) error
	// Formats says how the files begin that this kind reads, and no other kind, so that another kind can name it to people who gave it
	// such a file. nil: they begin as any text does.
	Formats []Format
	// SignIn says how a person signs in at the service of a configuration, a pointer as Config returns it, so that an access token is got
	// for it: it stands in the configuration's key access_token. Whatever else the configuration says, the token goes to the service
	// itself and nowhere else; a configuration that could lead it elsewhere is a [ConfigError]. Keys that are not filled in yet are errors
	// only where the sign-in needs them. nil: people cannot sign in.
	SignIn func(cfg any) (SignIn, error)
	// SignInClient is [SignIn.Client] of every configuration; empty where people cannot sign in.
	SignInClient string
	// Asked says how a source of this kind is asked for a phone number, and what makes that quick: sentences of Markdown. Empty where it cannot
	// be asked, or only as its configuration says.
	Asked string
	// Setup says how contactbridge init sets up a source of this kind. nil: init does not offer it.
	Setup *Setup
}

// A SignIn says how people sign in at a service: OAuth 2.0 with an authorization code.
type SignIn struct {
	Client       string   // whose registration at the service is needed: a word such as microsoft, for several kinds
	Title        string   // what people call the service
	AuthorizeURL string   // where people permit the access
	TokenURL     string   // where tokens are given and refreshed
	Base         string   // where the access token goes
	Scopes       []string // what is asked for
	Params       map[string]string
	InBasic      bool // the client's secret is sent as a password, not in the form
}

// The families of kinds. source/kinds says which page in docs each has.
const (
	FamilySQL      = "sql"      // a database that is queried in SQL
	FamilyFile     = "file"     // a file, or a folder of them
	FamilyAccounts = "accounts" // people and accounts on a directory server
	FamilyBooks    = "books"    // address books on a server
	FamilyREST     = "rest"     // an HTTP API that answers in JSON
	FamilyMemory   = "memory"   // contacts in the configuration itself
)

// What the icon of a kind may show. web/console draws them; they are nobody's trademarks.
const (
	IconDatabase = "database" // tables that are queried
	IconSheet    = "sheet"    // rows and columns in a file
	IconCards    = "cards"    // business cards
	IconBraces   = "braces"   // structured text
	IconPeople   = "people"   // accounts of people
	IconBook     = "book"     // address books
	IconSales    = "sales"    // customers and what is sold to them
	IconHelpdesk = "helpdesk" // people who ask for help
	IconBusiness = "business" // orders, invoices, stock: all of a business
	IconAPI      = "api"      // an HTTP API
	IconList     = "list"     // contacts that were written down
)

// Icons lists what the icon of a kind may show.
func Icons() []string {
	return []string{IconDatabase, IconSheet, IconCards, IconBraces, IconPeople, IconBook, IconSales, IconHelpdesk, IconBusiness, IconAPI, IconList}
}

// A Titled is a kind's configuration that can name what it reads.
type Titled interface {
	// Title names it in a word or two without a credential: "table customers", "a query", "customers.csv". It is empty
	// if there is nothing to name.
	Title() string
}

// KindOf completes a kind's description with its configuration, a struct, and what makes a factory of it. create gets
// dependencies without nil.
func KindOf[C any](described Kind, create func(C, Deps) (Factory, error)) Kind {
	described.Config = func() any { return new(C) }
	described.New = func(decode func(into any) error, deps Deps) (Factory, error) {
		cfg := new(C)
		if err := decode(cfg); err != nil {
			return nil, err
		}
		return create(*cfg, deps.Defaults())
	}
	return described
}

// TableTitle returns the title of a configuration that names a table or has a query.
func TableTitle(table, query string) string {
	switch {
	case table != "":
		return "table " + table
	case query != "":
		return "a query"
	}
	return ""
}

// PathTitle returns the title of a configuration that names a file; empty where callers decide which one.
func PathTitle(path Template) string {
	if len(path.Names()) > 0 {
		return ""
	}
	return path.String()
}
