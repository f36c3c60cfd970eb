package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/internal/preview"
	"github.com/contactbridge/contactbridge/internal/progress"
	"github.com/contactbridge/contactbridge/internal/proposal"
	"github.com/contactbridge/contactbridge/internal/setup"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/phone"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/kinds"
)

// initFlags are the flags of contactbridge init that every kind has.
type initFlags struct {
	output string
	force  bool
	yes    bool
	name   string
	listen string
	region string
	fields []string
	set    []string
}

// lookTime is how long a kind may look at what is there.
const lookTime = 30 * time.Second

// newInitCommand returns init without subcommands, and a function that adds a subcommand for each kind of source.
func newInitCommand() (cmd *cobra.Command, addKinds func()) {
	var f initFlags
	cmd = &cobra.Command{
		Use:     "init [KIND]",
		GroupID: groupStart,
		Short:   "Look at where contacts are, and write a configuration that serves them",
		Long: `Ask where the contacts are, look at what is there, propose which column is what, show the first contacts as they would be
sent with everything that is wrong with them, let you correct that, and write a configuration for serve.

With --yes nothing is asked: what the flags leave open is decided, and said with the reasons. Nothing is changed but the file of
-o. No credential is written: the configuration refers to environment variables, and init says which.`,
		Args: knownKind,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, source.Kind{}, nil) },
	}
	f.add(cmd)
	return cmd, func() {
		cmd.Example = initExample()
		for _, k := range kinds.All() {
			if k.Setup != nil {
				cmd.AddCommand(newInitKindCommand(k, &f))
			}
		}
	}
}

// knownKind refuses what is not a kind: kinds are commands.
func knownKind(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "Choose one: " + strings.Join(setupNames(), ", ") + "."
	if near := strictyaml.Nearest(args[0], setupNames()); near != "" {
		hint = fmt.Sprintf("Did you mean %q? %s", near, hint)
	}
	return misuse(fmt.Sprintf("init cannot set up a source of kind %q", args[0]), hint)
}

// initExample shows how init is used without questions, with the first kinds.
func initExample() string {
	lines := []string{"  contactbridge init"}
	for _, k := range kinds.All() {
		if k.Setup != nil && len(lines) < 5 {
			lines = append(lines, "  "+exampleOf(k))
		}
	}
	return strings.Join(lines, "\n")
}

// exampleOf is a command line that asks nothing.
func exampleOf(k source.Kind) string {
	line := "contactbridge init " + k.Name
	for _, q := range k.Setup.Questions(source.Answers{}) {
		if q.Example != "" && !q.Optional {
			line += fmt.Sprintf(" --%s '%s'", flagOf(q.Key), q.Example)
		}
	}
	return line + " --yes -o bridge.yaml"
}

func (f *initFlags) add(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVarP(&f.output, "output", "o", "bridge.yaml", "the `file` to write; - prints the configuration and nothing else to standard output")
	flags.BoolVar(&f.force, "force", false, "write over a file that exists")
	flags.BoolVarP(&f.yes, "yes", "y", false, "ask nothing")
	flags.StringVar(&f.name, "name", "", "the endpoint's `name`, which stands in its URL (default: that of what is read)")
	flags.StringVar(&f.listen, "listen", "", "where the bridge listens (default: 127.0.0.1:8080)")
	flags.StringVar(&f.region, "region", "", "the `country` that phone numbers without a country code belong to, such as US")
	flags.StringArrayVar(&f.fields, "field", nil, "`NAME=EXPRESSION` for a field, such as phones=mobile; may be repeated, also for one name")
	flags.StringArrayVar(&f.set, "set", nil, "`KEY=VALUE` for any other key of the source; an empty value leaves the key out")
}

// flagOf is the flag of a key: auth.token is --auth-token.
func flagOf(key string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(key) }

// newInitKindCommand is init for one kind. The questions, and the keys that hold one value, are its flags.
func newInitKindCommand(k source.Kind, f *initFlags) *cobra.Command {
	given := map[string]*string{}
	cmd := &cobra.Command{
		Use:               k.Name,
		Short:             k.Summary,
		Example:           "  " + exampleOf(k),
		Args:              takes(),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	for _, q := range k.Setup.Questions(source.Answers{}) {
		usage := uncapitalized(q.Title)
		if q.Secret {
			usage += "; better ${NAME}, which refers to an environment variable"
		}
		given[q.Key] = flags.String(flagOf(q.Key), "", usage)
	}
	for _, field := range strictyaml.Fields(reflect.TypeOf(k.Config())) {
		if given[field.Key] == nil && field.Type.Kind() == reflect.String && field.Key != "query" && flags.Lookup(flagOf(field.Key)) == nil && cmd.InheritedFlags().Lookup(flagOf(field.Key)) == nil {
			given[field.Key] = flags.String(flagOf(field.Key), "", firstSentence(field.Description))
		}
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		values := map[string]string{}
		for key, value := range given {
			if flags.Changed(flagOf(key)) {
				values[key] = *value
			}
		}
		return f.run(cmd, k, values)
	}
	return cmd
}

// firstSentence returns the first sentence of a key's description, as a flag is described.
func firstSentence(text string) string {
	text, _, _ = strings.Cut(text, ". ")
	text, _, _ = strings.Cut(text, ": ")
	return uncapitalized(strings.ReplaceAll(strings.TrimSuffix(text, "."), "`", ""))
}

// uncapitalized returns a text as it stands within a sentence: SQL and OAuth stay as they are.
func uncapitalized(text string) string {
	if len(text) < 2 || text[1] < 'a' && text[1] != ' ' {
		return text
	}
	return strings.ToLower(text[:1]) + text[1:]
}

// A setupRun is one run of contactbridge init.
type setupRun struct {
	flags     *initFlags
	cmd       *cobra.Command
	in        *asker // nil where nothing can be asked
	out       io.Writer
	given     map[string]string // by key; what is used is deleted
	draft     setup.Draft
	inventory proposal.Inventory
	wish      proposal.Wish
	asked     bool // for the country of phone numbers
}

func (f *initFlags) run(cmd *cobra.Command, kind source.Kind, given map[string]string) error {
	r := &setupRun{flags: f, cmd: cmd, out: cmd.OutOrStdout(), given: given}
	if f.output == "-" {
		r.out = cmd.ErrOrStderr()
	}
	r.draft = setup.Draft{Kind: kind, Listen: f.listen, File: f.output}
	if err := r.check(); err != nil {
		return err
	}
	if err := r.explore(); err != nil {
		return err
	}
	if err := r.propose(); err != nil {
		return err
	}
	p, err := r.settle()
	if err != nil {
		return err
	}
	if err := r.write(); err != nil {
		return err
	}
	if !p.OK {
		return errSaid
	}
	return nil
}

// check finds what is wrong with the flags, before anything is asked.
func (r *setupRun) check() error {
	f := r.flags
	if r.draft.Kind.Name == "" && f.yes {
		return misuse("with --yes the kind must be named", "Choose one: "+strings.Join(setupNames(), ", ")+".")
	}
	if !f.yes && !isTerminal(r.cmd.InOrStdin()) {
		return misuse("nothing can be asked: this is not a terminal", "Give --yes, and with flags what cannot be guessed: "+hintOf(r.draft.Kind))
	}
	if !f.yes {
		r.in = newAsker(r.cmd.InOrStdin(), r.out)
	}
	if f.region != "" {
		region, err := regionOf(f.region)
		if err != nil {
			return err
		}
		r.draft.Region = region
	}
	if f.listen != "" {
		if message := config.ListenProblem(f.listen); message != "" {
			return misuse("--listen: "+message, "Write host:port, such as 127.0.0.1:8080.")
		}
	}
	if err := r.wishes(); err != nil {
		return err
	}
	return r.checkOutput()
}

func (r *setupRun) checkOutput() error {
	f := r.flags
	if f.output == "-" {
		return nil
	}
	if _, err := os.Stat(f.output); err == nil && !f.force {
		return misuse(f.output+" exists already", "Name another file with -o, or give --force to write over it.")
	}
	if info, err := os.Stat(filepath.Dir(f.output)); err != nil || !info.IsDir() {
		return misuse(fmt.Sprintf("the folder of %s does not exist", f.output), "Create it, or name another file with -o.")
	}
	return r.checkWritable()
}

// checkWritable finds a file or folder that cannot be written, before somebody answers questions in vain. Nothing is left behind.
func (r *setupRun) checkWritable() error {
	file, err := os.OpenFile(r.flags.output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	made := err == nil
	if errors.Is(err, fs.ErrExist) { // --force
		file, err = os.OpenFile(r.flags.output, os.O_WRONLY, 0)
	}
	if err != nil {
		return cannotWrite(r.flags.output, err)
	}
	err = file.Close()
	if made {
		err = errors.Join(err, os.Remove(r.flags.output))
	}
	return err
}

func cannotWrite(name string, err error) error {
	return &failure.Error{Message: name + " cannot be written", Hint: "Name a file with -o in a folder that you may write to; -o - prints the configuration.", Err: err}
}

// wishes reads --field and --set.
func (r *setupRun) wishes() error {
	for _, text := range r.flags.set {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return misuse(fmt.Sprintf("--set %q is not KEY=VALUE", text), "")
		}
		if r.given == nil {
			r.given = map[string]string{}
		}
		r.given[key] = value
	}
	fields := map[string][]string{}
	for _, text := range r.flags.fields {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return misuse(fmt.Sprintf("--field %q is not NAME=EXPRESSION", text), "")
		}
		fields[name] = append(fields[name], value)
	}
	for name, values := range fields {
		r.wish.Settings = append(r.wish.Settings, fieldSetting(name, values))
	}
	return nil
}

// fieldSetting is the setting of a field.
func fieldSetting(name string, values []string) proposal.Setting {
	values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
	s := proposal.Setting{Key: "fields." + name, Value: values}
	if !isListField(name) {
		s.Value = strings.Join(values, "")
	}
	return s
}

func isListField(name string) bool { return name == "phones" || name == "emails" || name == "websites" }

// regionOf reads a country.
func regionOf(text string) (string, error) {
	region := strings.ToUpper(strings.TrimSpace(text))
	if !phone.KnownRegion(region) {
		region = country.Code(text)
	}
	if region == "" {
		return "", misuse(fmt.Sprintf("%q is not a country", text), country.Hint(text))
	}
	return region, nil
}

func setupNames() []string {
	var names []string
	for _, k := range kinds.All() {
		if k.Setup != nil {
			names = append(names, k.Name)
		}
	}
	return names
}

func hintOf(k source.Kind) string {
	if k.Setup == nil {
		return "contactbridge init KIND --help lists them."
	}
	return exampleOf(k)
}

func isTerminal(in io.Reader) bool {
	file, ok := in.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// explore asks where the contacts are, until something is there that can be looked at.
func (r *setupRun) explore() error {
	for {
		if err := r.answers(); err != nil {
			return err
		}
		err := r.look()
		if err == nil || r.in == nil || r.cmd.Context().Err() != nil {
			return err
		}
		fmt.Fprintln(r.out)
		r.say(err)
		r.draft.Answers = nil
	}
}

// look has the kind look at what is there.
func (r *setupRun) look() error {
	answers, notes, err := setup.Resolve(r.draft.Answers, os.LookupEnv)
	for _, note := range notes {
		fmt.Fprintf(r.out, "Note: %s.\n", note)
	}
	if err != nil {
		return asMisuse(err)
	}
	if r.draft.Kind.Setup.Look == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.cmd.Context(), lookTime)
	defer cancel()
	r.inventory, err = r.draft.Kind.Setup.Look(ctx, answers, source.Deps{Logger: slog.New(slog.DiscardHandler)})
	if err != nil && errors.Is(err, context.DeadlineExceeded) && r.cmd.Context().Err() == nil && failure.Of(err).Message == "" {
		return &failure.Error{Code: failure.Busy, Message: "looking at what is there took too long", Hint: "Try again when the external service has less to do."}
	}
	return asMisuse(err)
}

// asMisuse makes the mistakes in an answer wrong use.
func asMisuse(err error) error {
	if config, ok := errors.AsType[*source.ConfigError](err); ok {
		return misuse("--"+flagOf(config.Key)+": "+config.Message, config.Hint)
	}
	return err
}

// propose makes the proposal anew.
func (r *setupRun) propose() error {
	for key, value := range r.given {
		if key == r.inventory.Key && value != "" {
			r.wish.Things = r.inventory.Named(value)
		} else {
			r.wish.Settings = append(r.wish.Settings, proposal.Setting{Key: key, Value: value})
		}
	}
	r.given = nil
	p, err := proposal.Of(r.inventory, r.wish)
	if err != nil {
		return err
	}
	r.draft.Proposal = p
	if r.draft.Region == "" {
		r.draft.Region = p.Region
	}
	r.draft.Endpoint = r.endpointName()
	return nil
}

func (r *setupRun) endpointName() string {
	if r.flags.name != "" {
		return r.flags.name
	}
	if things := r.draft.Proposal.Things; len(things) == 1 && things[0].Name != "" && r.inventory.Key != "" {
		name := things[0].Name
		if strings.ContainsAny(name, "/=") { // a path or a DN is no name
			return r.draft.Kind.Name
		}
		return setup.EndpointName(name[strings.LastIndexByte(name, '.')+1:], "contacts")
	}
	for _, a := range r.draft.Answers {
		if a.Question.File {
			base := filepath.Base(a.Text)
			return setup.EndpointName(strings.TrimSuffix(base, filepath.Ext(base)), "contacts")
		}
	}
	return r.draft.Kind.Name
}

// preview loads the draft as serve would, and looks at its contacts.
func (r *setupRun) preview() (*preview.Preview, error) {
	cfg, err := config.Parse(r.flags.output, []byte(r.draft.Text()), r.draft.Environment(os.LookupEnv))
	if err != nil {
		return nil, err
	}
	line := newWaitLine(r.cmd)
	p, err := preview.Of(r.cmd.Context(), cfg.Endpoints[r.draft.Endpoint], source.Deps{Logger: slog.New(slog.DiscardHandler)}, bridge.Auth{},
		preview.Options{Limit: 5, Examine: 2000, Inspect: 10 * time.Second, Read: 10 * time.Second, Wait: mostPatience, Waiting: line.show})
	line.clear()
	if err == nil && len(r.draft.Proposal.Settings) > 0 && !r.ready() {
		p.Mapping = nil // it has just been shown, with reasons
	}
	if err == nil && slices.ContainsFunc(r.draft.Proposal.Problems, func(p proposal.Problem) bool { return strings.Contains(p.Message, "updated") }) {
		p.Problems = slices.DeleteFunc(p.Problems, func(p source.Problem) bool { return p.Code == "no_updated" })
	}
	if err == nil && r.unknownCountry() {
		for n := range p.Problems {
			if has := &p.Problems[n]; has.Code == "bad_phone" && strings.Contains(has.Message, "without a country code") {
				has.Hint = countryHint
			}
		}
	}
	return p, err
}

const countryHint = "Give --region with their country, such as --region US, or map fields.country. Until then they are sent as they are written."

// unknownCountry reports whether numbers without a country code were seen whose country nothing tells.
func (r *setupRun) unknownCountry() bool { return r.draft.Proposal.National && r.draft.Region == "" }

// saysBetter reports whether a preview has the same problem as a proposal.
func saysBetter(p *preview.Preview, problem proposal.Problem) bool {
	return p != nil && problem.Code != "" && slices.ContainsFunc(p.Problems, func(has source.Problem) bool {
		return has.Code == problem.Code && strings.Contains(has.Message, problem.About)
	})
}

// ready reports whether the kind maps the fields by itself.
func (r *setupRun) ready() bool {
	return slices.ContainsFunc(r.draft.Proposal.Things, func(t proposal.Thing) bool { return t.Ready })
}

// settle shows what is proposed, and lets the user correct it until it is good.
func (r *setupRun) settle() (*preview.Preview, error) {
	if r.draft.Proposal.National {
		if err := r.askRegion(); err != nil {
			return nil, err
		}
	}
	for {
		p, err := r.preview()
		if err == nil && r.draft.Region == "" && !r.asked && r.ready() && hasProblem(p, "bad_phone") { // a kind that maps the numbers itself
			if err := r.askRegion(); err != nil {
				return nil, err
			}
			if r.draft.Region != "" {
				continue
			}
		}
		r.showProposal(p)
		problems, wrong := errors.AsType[*strictyaml.Problems](err)
		switch {
		case wrong:
			r.showWrong(problems)
		case err != nil:
			return nil, err
		default:
			r.showPreview(p)
		}
		if r.in == nil {
			if wrong {
				return nil, errors.Join(errSaid, misuse("", ""))
			}
			return p, nil
		}
		done, err := r.correct(!wrong)
		if err != nil || done {
			return p, err
		}
	}
}

func hasProblem(p *preview.Preview, code string) bool {
	return slices.ContainsFunc(p.Problems, func(p source.Problem) bool { return p.Code == code })
}

// write writes the configuration, and says what comes next.
func (r *setupRun) write() error {
	text := r.draft.Text()
	if r.flags.output == "-" {
		_, err := io.WriteString(r.cmd.OutOrStdout(), text)
		return err
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if r.flags.force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(r.flags.output, flags, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return misuse(r.flags.output+" exists already", "Name another file with -o, or give --force to write over it.")
	}
	if err != nil {
		return cannotWrite(r.flags.output, err)
	}
	if _, err := file.WriteString(text); err != nil {
		return errors.Join(fmt.Errorf("write the configuration: %w", err), file.Close())
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	r.showNext()
	return nil
}

// styled returns how the output is coloured.
func (r *setupRun) style() progress.Style { return progress.NewStyle(r.out) }
