package rest

import (
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// Version is the version of the language that this engine reads.
const Version = 1

// Language is everything that a preset or a configuration of kind rest may say.
type Language struct {
	Language   int                        `yaml:"language" digest:"-" jsonschema:"required" hint:"Write  language: 1" jsonschema_description:"The version of this language: 1."`
	Title      string                     `yaml:"title" digest:"-" jsonschema_description:"What people call the service."`
	Icon       string                     `yaml:"icon" digest:"-" jsonschema:"enum=sales,enum=helpdesk,enum=business,enum=people,enum=book,enum=api" jsonschema_description:"What a catalogue draws for the service. Default: api."`
	Connection []Field                    `yaml:"connection" digest:"-" jsonschema_description:"What each user of the service writes: keys of the preset's kind. In kind rest their values stand below values."`
	URL        source.Template            `yaml:"url" digest:"-" jsonschema_description:"The API's address, in kind rest: {{url}} stands for it."`
	Values     map[string]source.Template `yaml:"values" digest:"-" jsonschema_description:"The values of the fields of connection, in kind rest."`
	Base       Text                       `yaml:"base" digest:"-" jsonschema_description:"What every path is put after. Default: {{url}}."`
	Hosts      []string                   `yaml:"hosts" digest:"-" jsonschema_description:"What the host of an address that an answer brings must end in, such as .example.com. Without it only the host of base is asked."`
	Headers    map[string]Text            `yaml:"headers" digest:"-" jsonschema_description:"Headers of every request."`
	Auth       []Auth                     `yaml:"auth" digest:"-" jsonschema_description:"How requests are authenticated: the first way whose fields all have a value."`
	SignIn     SignIn                     `yaml:"sign_in" digest:"-" jsonschema_description:"How people sign in at the service, so that a hub gets what stands in the field access_token of connection (OAuth 2.0, authorization code)."`
	Verify     Request                    `yaml:"verify" digest:"-" jsonschema_description:"A cheap request that succeeds with good credentials, and whose answer says what time it is (its header Date)."`

	Tenant  string   `yaml:"tenant" jsonschema_description:"Where verify's answer names the account that the credentials belong to: a path. Checkpoints belong to it."`
	ID      string   `yaml:"id" jsonschema_description:"The record's id: a path such as properties.id, or an expression."`
	Updated Stamp    `yaml:"updated" jsonschema_description:"When the record was changed last."`
	Deleted string   `yaml:"deleted" jsonschema_description:"An expression that is not empty, not zero and not false if a record is deleted."`
	Keep    string   `yaml:"keep" jsonschema_description:"An expression that is true for the records that are contacts. Others count as deleted."`
	Merged  string   `yaml:"merged" jsonschema_description:"An expression of the ids that were merged into this record: they are told as deleted, and the record is sent."`
	Nothing string   `yaml:"nothing" jsonschema_description:"A JSON value that stands for no value, such as false."`
	Truths  []string `yaml:"truths" jsonschema_description:"The paths at which nothing is a value nevertheless."`

	Changes   Reading   `yaml:"changes" jsonschema_description:"The request for what was changed."`
	ByID      Reading   `yaml:"by_id" jsonschema_description:"The request for the records changed in a time, {{from}} up to {{before}}: in the order of their ids, after {{after_id}}; or, of a service that cannot sort by id, in pages in the order of their creation."`
	List      Reading   `yaml:"list" jsonschema_description:"The request for all records, for initial runs. Without it they use changes, from 1970 on."`
	Whole     Request   `yaml:"whole" jsonschema_description:"The request for one record by its {{id}}, whose answer is that record, or 404 if it is deleted. It is asked for each record of changes with a token that lacks a key which fields, keep, merged or updated use: the service tells only what has changed, and what is missing is not empty."`
	Deletions Deletions `yaml:"deletions" jsonschema_description:"How the service tells of deletions."`

	Agents Agents `yaml:"agents" digest:"-" jsonschema_description:"The request for the users of the service, who may be agents of the contact centre. Below an endpoint's agents a kind reads these, and no contacts."`
	Search Search `yaml:"search" digest:"-" jsonschema_description:"The request for the records with a phone number, which is asked while a call waits (ask of an integration in the hub). {{number}} stands for the number with + and country code, {{number_digits}} for its digits, {{number_national}} for those without the country code, {{spellings}} for a list of usual spellings."`

	Throttle Throttle   `yaml:"throttle" digest:"-" jsonschema_description:"How many requests the service takes."`
	Errors   []Reaction `yaml:"errors" digest:"-" jsonschema_description:"What answers mean that are no records. The first one that fits counts."`

	Link   Text          `yaml:"link" jsonschema_description:"The record's page: a contact's url where fields has none. {{id}} stands for its id, {{record.name}} for a value of it, {{account}} for what tenant names."`
	Fields record.Fields `yaml:"fields" jsonschema_description:"What a contact's fields are made of: paths in a record such as address.city, or expressions."`
}

// A Field is a value that each user of a service has to give.
type Field struct {
	Name     string `yaml:"name" jsonschema_description:"Its key."`
	Title    string `yaml:"title" jsonschema_description:"What people call it."`
	Help     string `yaml:"help" jsonschema_description:"Where its user finds it."`
	Example  string `yaml:"example" jsonschema_description:"A value, made up."`
	Pattern  string `yaml:"pattern" jsonschema_description:"A regular expression that every value must fit, from its beginning to its end."`
	Default  string `yaml:"default" jsonschema_description:"What is taken without it."`
	Optional bool   `yaml:"optional" jsonschema_description:"It may be missing."`
	Secret   bool   `yaml:"secret" jsonschema_description:"It is never shown."`
}

// Auth is a way to authenticate requests.
type Auth struct {
	By           string          `yaml:"by" jsonschema:"enum=none,enum=bearer,enum=basic,enum=header,enum=query,enum=client_credentials,enum=refresh_token,enum=password,enum=jwt_bearer" jsonschema_description:"none; bearer: token; basic: user and password; header, query: name and value; or a grant of OAuth 2.0, with which an access token is fetched from token_url."`
	Token        Text            `yaml:"token" jsonschema_description:"The access token, of bearer."`
	TokenFile    Text            `yaml:"token_file" jsonschema_description:"A file that holds the access token, and that somebody else renews. It is read again when it has changed."`
	User         Text            `yaml:"user" jsonschema_description:"Of basic and password."`
	Password     Text            `yaml:"password" jsonschema_description:"Of basic and password."`
	Name         string          `yaml:"name" jsonschema_description:"The header's or parameter's name."`
	Value        Text            `yaml:"value" jsonschema_description:"The header's or parameter's value; {{access_token}} stands for a token that was fetched. Default: Bearer {{access_token}}, in the header Authorization."`
	TokenURL     Text            `yaml:"token_url" jsonschema_description:"Where tokens are fetched: a path after base, or an address with a host that hosts permits."`
	AccessToken  string          `yaml:"access_token" jsonschema_description:"Where the answer of token_url has the access token: a path. Default: access_token."`
	ClientID     Text            `yaml:"client_id"`
	ClientSecret Text            `yaml:"client_secret"`
	ClientIn     string          `yaml:"client_in" jsonschema:"enum=body,enum=basic" jsonschema_description:"Where client_id and client_secret are sent. Default: body."`
	RefreshToken Text            `yaml:"refresh_token" jsonschema_description:"Of refresh_token. It must be one that stays valid: a bridge stores nothing. If the service replaces it, the new one is used until this process ends."`
	Scope        Text            `yaml:"scope"`
	Key          Text            `yaml:"key" jsonschema_description:"The private key of jwt_bearer, as PEM."`
	Claims       map[string]Text `yaml:"claims" jsonschema_description:"The claims of jwt_bearer besides iat and exp."`
	Form         map[string]Text `yaml:"form" jsonschema_description:"More that is sent to token_url."`
	Send         string          `yaml:"send" jsonschema:"enum=form,enum=json" jsonschema_description:"How token_url takes what is sent: as a form, or as a JSON object. Default: form."`
	Headers      map[string]Text `yaml:"headers" jsonschema_description:"More headers of requests that are authenticated in this way."`
}

// SignIn is how people sign in at a service.
type SignIn struct {
	Client       string            `yaml:"client" jsonschema_description:"A word for the registration of an application at the service: a key of oauth_clients in the hub's configuration. Several presets may share one."`
	AuthorizeURL Text              `yaml:"authorize_url" jsonschema_description:"Where people permit the access."`
	TokenURL     Text              `yaml:"token_url" jsonschema_description:"Where tokens are given and refreshed."`
	Scopes       []Text            `yaml:"scopes" jsonschema_description:"What is asked for."`
	Params       map[string]string `yaml:"params" jsonschema_description:"More parameters of the address at which people permit the access."`
	ClientIn     string            `yaml:"client_in" jsonschema:"enum=body,enum=basic" jsonschema_description:"Where the client's ID and secret are sent. Default: body."`
}

// A Request is one HTTP request. Texts may hold {{name}}.
type Request struct {
	Method  string          `yaml:"method" jsonschema:"enum=GET,enum=POST,enum=REPORT" jsonschema_description:"Default: GET, or POST with a body."`
	Path    Text            `yaml:"path" jsonschema_description:"The path after base; or an address with a host that hosts permits."`
	Query   map[string]Text `yaml:"query" jsonschema_description:"The parameters. One with an empty value is left out."`
	Headers map[string]Text `yaml:"headers" jsonschema_description:"Headers besides those of every request."`
	Body    Body            `yaml:"body" jsonschema_description:"The body: any YAML, sent as JSON."`
}

// IsZero reports whether there is no request.
func (r Request) IsZero() bool { return r.Path.IsZero() }

// A Reading is a request for records, and what is known about its answers.
type Reading struct {
	Request `yaml:",inline"`

	Records    string   `yaml:"records" jsonschema_description:"Where the records are in an answer: a path such as data.items, or $ for the answer itself."`
	MayMiss    bool     `yaml:"may_miss" jsonschema_description:"An answer without records has no such key."`
	Order      string   `yaml:"order" jsonschema:"enum=updated,enum=id,enum=created,enum=newest,enum=none" jsonschema_description:"In which order the records come, which each answer is checked for: by updated, the oldest first; by id; by created, the oldest first; the newest first; none."`
	Created    string   `yaml:"created" jsonschema_description:"Of by_id with order: created: where a record has the time of its creation, in the form of updated. A run ends at the records that were created after it began."`
	Since      Since    `yaml:"since" jsonschema_description:"How the service takes {{since}}."`
	Page       Paging   `yaml:"page" jsonschema_description:"How the answers go on. There is no default for by."`
	Directions []string `yaml:"directions" jsonschema_description:"Of by_id: what {{direction}} stands for, ascending and descending. With it the end of what keeps changing is known."`
	IDs        string   `yaml:"ids" jsonschema:"enum=number,enum=bytes" jsonschema_description:"Of by_id: how ids are ordered, which each answer is checked for: as numbers, or by their bytes. Without it the order is not known."`
	FirstID    string   `yaml:"first_id" jsonschema_description:"What {{after_id}} is in a first request."`
	Token      string   `yaml:"token" jsonschema_description:"Where the last answer has the token with which the next run goes on: a path. It is the checkpoint; {{token}} stands for it."`
	Done       string   `yaml:"done" jsonschema_description:"Where an answer says that it is the last for now: a path whose value is true."`
}

// Since says how a service takes the time from which on it is asked.
type Since struct {
	Exclusive   bool          `yaml:"exclusive" jsonschema_description:"Records of that time itself do not come: a step earlier is asked for."`
	Granularity time.Duration `yaml:"granularity" jsonschema_description:"How coarse the service takes it, such as 24h: it is asked for an earlier time, and what is older is left out here."`
	Margin      time.Duration `yaml:"margin" digest:"-" jsonschema_description:"How much earlier it is asked for, besides."`
}

// Paging says how one answer leads to the next.
type Paging struct {
	By    string `yaml:"by" jsonschema:"enum=none,enum=keyset,enum=number,enum=offset,enum=cursor,enum=link" jsonschema_description:"none: one answer has everything. keyset: each request begins at the last record, by {{since}} or {{after_id}}. number: {{page}}. offset: {{offset}}. cursor: {{cursor}}, which the answer has at next. link: the answer has the next address at next."`
	Size  int    `yaml:"size" digest:"-" jsonschema:"minimum=0,maximum=100000" jsonschema_description:"How many records are asked for: {{limit}}."`
	First int    `yaml:"first" jsonschema_description:"The number of the first page. Default: 1; write 0 as zero: true."`
	Zero  bool   `yaml:"zero" jsonschema_description:"The number of the first page is 0."`
	Next  string `yaml:"next" jsonschema_description:"Where the answer has the next cursor or address: a path, header:NAME, or header:Link for the one with rel=next (RFC 8288). Nothing, null, false, 0 and an empty text, object or list say that there is no more. An address may be relative to the one that was asked."`
	More  string `yaml:"more" jsonschema_description:"Where the answer says whether there is more: a path. Without it a page that is not full is the last."`
	Most  int    `yaml:"most" digest:"-" jsonschema:"minimum=0" jsonschema_description:"How many records the service gives for one query, whatever it has. A run that reaches it ends with an error."`
	// ToEmpty asks on until a page is empty.
	ToEmpty bool `yaml:"to_empty" digest:"-" jsonschema_description:"Of number and offset: only a page without records is the last one. For a service that may give fewer records than it is asked for."`
	// Recheck reads each page twice.
	Recheck bool `yaml:"recheck" digest:"-" jsonschema_description:"Of number and offset: each page is asked for once more after the next one, since records slide back when others leave."`
}

// Stamp is the time of a record's last change.
type Stamp struct {
	Path      string        `yaml:"path" jsonschema_description:"Where the record has it: a path, or an expression."`
	As        string        `yaml:"as" jsonschema:"enum=time,enum=unix,enum=unix_ms" jsonschema_description:"time: RFC 3339, or a date and time in zone. unix, unix_ms: a number since 1970. Default: time."`
	Zone      Text          `yaml:"zone" jsonschema_description:"The zone of times that name none, read and asked for. Default: UTC."`
	ReadZone  Text          `yaml:"read_zone" jsonschema_description:"The zone of times that name none, in answers, where it is another one than they are asked for in."`
	Precision time.Duration `yaml:"precision" jsonschema_description:"How fine the service keeps it. Default: 1s."`
	Overlap   time.Duration `yaml:"overlap" digest:"-" jsonschema_description:"How long after its stamp a change may become visible at the latest: each run reads that much again. Default: 5m."`
}

// Deletions says how a service tells of deleted records.
type Deletions struct {
	Reading `yaml:",inline"`

	By string `yaml:"by" jsonschema:"enum=none,enum=inline,enum=request,enum=sweep" jsonschema_description:"inline: deleted records come with the others, and deleted finds them. request: this request lists them. sweep: they are found by a run over all contacts, every so often. none: they stay."`
	ID string `yaml:"id" jsonschema_description:"The deleted record's id. Default: id."`
	// At is when it was deleted.
	At    string        `yaml:"at" jsonschema_description:"When it was deleted: a path. Those before the checkpoint are left out."`
	As    string        `yaml:"as" jsonschema:"enum=time,enum=unix,enum=unix_ms" jsonschema_description:"Of what form that is. Default: that of updated."`
	Every time.Duration `yaml:"every" digest:"-" jsonschema_description:"Of sweep: how often a run brings all contacts. Default: 24h. Of request: that happens besides, for what the list does not tell of."`
}

// Agents is the request for a service's users, and what is made of them.
type Agents struct {
	Reading `yaml:",inline"`

	ID    string `yaml:"id" jsonschema_description:"The user's id: a path or an expression. Default: id."`
	Name  string `yaml:"name" jsonschema_description:"The user's name: a path or an expression."`
	Email string `yaml:"email" jsonschema_description:"The user's e-mail address, by which the contact centre knows its agents: a path or an expression. Users without one are left out."`
	Keep  string `yaml:"keep" jsonschema_description:"An expression that is true for the users who may be agents."`
}

// Throttle says how many requests a service takes.
type Throttle struct {
	Requests int           `yaml:"requests" jsonschema:"minimum=0" jsonschema_description:"So many requests, with one credential…"`
	Per      time.Duration `yaml:"per" jsonschema_description:"…in this time. Default: 1s."`
	Burst    int           `yaml:"burst" jsonschema:"minimum=0" jsonschema_description:"How many of them may come at once. Default: requests."`
	Wait     string        `yaml:"wait" jsonschema_description:"The header that says how long to wait, in seconds, or as a time. Default: Retry-After."`
	Left     string        `yaml:"left" jsonschema_description:"The header that says how many requests are left."`
	Reset    string        `yaml:"reset" jsonschema_description:"The header that says when there are more: in seconds, or as a Unix time."`
	Points   Points        `yaml:"points" jsonschema_description:"Of a service that counts points instead of requests: where each answer says so."`
}

// Points says where an answer tells how many points a query costs, and how many there are.
type Points struct {
	Cost string `yaml:"cost" jsonschema_description:"What the query costs: a path."`
	Left string `yaml:"left" jsonschema_description:"How many points are left after it: a path. The next request waits until there are as many as this one cost."`
	Rate string `yaml:"rate" jsonschema_description:"How many come back in a second: a path."`
}

// A Reaction says what an answer means.
type Reaction struct {
	Status   []int         `yaml:"status" jsonschema_description:"The statuses that it is about. Without it any."`
	Path     string        `yaml:"path" jsonschema_description:"A path that the answer must have, and that is not null or false; or header:NAME."`
	Is       string        `yaml:"is" jsonschema_description:"What stands there."`
	Contains string        `yaml:"contains" jsonschema_description:"A text in the answer, or in what stands at path, in any case."`
	Then     string        `yaml:"then" jsonschema:"enum=empty,enum=throttled,enum=unauthorized,enum=expired,enum=forbidden,enum=tenant,enum=down,enum=broken,enum=restart" jsonschema_description:"empty: there are no records. throttled: too many requests. expired: the access token; it is fetched again. unauthorized: wrong credentials. forbidden: a right is missing. tenant: the address is wrong. down: try again later. restart: the token or cursor is of no use any more. broken: the API is not as described."`
	Wait     time.Duration `yaml:"wait" jsonschema_description:"Of throttled: how long to wait where the answer does not say so."`
	Hint     string        `yaml:"hint" jsonschema_description:"What to do: a sentence."`
}
