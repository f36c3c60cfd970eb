package bridgetest_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/contactbridge/contactbridge/bridge/bridgetest"
	"github.com/contactbridge/contactbridge/bridge/bridgetest/faultybridge"
)

// serve starts a bridge of faultybridge and describes it as a target, with everything that the check can use.
func serve(t *testing.T, b *faultybridge.Bridge) bridgetest.Target {
	t.Helper()
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return bridgetest.Target{
		URL:  server.URL + "/contact_sync",
		Auth: faultybridge.Auth(),
		Mutate: func(ctx context.Context, verb bridgetest.Verb, id string) (string, error) {
			return b.Mutate(ctx, string(verb), id)
		},
		Restart: func(context.Context) error { b.Restart(); return nil },
	}
}

// quick returns options for a bridge on loopback with checkpoints finer than a millisecond.
func quick() bridgetest.Options { return bridgetest.Options{Pause: 20 * time.Millisecond} }

func check(t *testing.T, target bridgetest.Target, options bridgetest.Options) bridgetest.Report {
	t.Helper()
	report, err := bridgetest.Check(t.Context(), target, options)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

const contacts = 95 // ten pages of ten; seven contacts share each moment

func TestACorrectBridgePassesEverythingStrict(t *testing.T) {
	for _, size := range []int{10, 1000} {
		target := serve(t, faultybridge.New(contacts, size, faultybridge.None))
		target.Contacts = contacts
		bridgetest.Run(t, target, quick())
	}
}

// D10: a bridge that begins from the start where it does not know a checkpoint is as good as one that refuses it.
func TestABridgeThatRestartsPassesEverythingStrict(t *testing.T) {
	for _, size := range []int{10, 1000} {
		b := faultybridge.New(contacts, size, faultybridge.None)
		b.Restarts = true
		bridgetest.Run(t, serve(t, b), quick())
	}
}

func TestACorrectBridgeSkipsLittle(t *testing.T) {
	target := serve(t, faultybridge.New(contacts, 10, faultybridge.None))
	target.Contacts = contacts
	report := check(t, target, quick())
	var skipped []string
	for _, r := range report.Results {
		if r.Outcome == bridgetest.Skipped {
			skipped = append(skipped, r.ID)
		}
	}
	want := []string{"certificate", "context-reencoded"}
	if !slices.Equal(skipped, want) {
		t.Errorf("skipped %q, want %q: a suite that skips proves nothing", skipped, want)
	}
}

// caught says which case is meant for a fault, and which others it breaks as well.
type caught struct {
	by   string
	also []string
}

var faults = map[faultybridge.Fault]caught{
	faultybridge.PageNumbers:             {by: "change-drift"},
	faultybridge.TiesLostAtCheckpoint:    {by: "page-checkpoint"},
	faultybridge.TiesLostAtOffset:        {by: "change-ties", also: []string{"checkpoint-last-page", "change-drift", "page-checkpoint"}},
	faultybridge.CheckpointIsNow:         {by: "checkpoint-clock", also: []string{"page-checkpoint", "checkpoint-unknown"}},
	faultybridge.CheckpointIsCut:         {by: "change-same-moment"},
	faultybridge.NumberIDs:               {by: "contact-id"},
	faultybridge.MissingIDs:              {by: "contact-id"},
	faultybridge.NullNames:               {by: "contact-name"},
	faultybridge.EmptyNames:              {by: "contact-name"},
	faultybridge.OffsetLoop:              {by: "run-ends"},
	faultybridge.EndlessPages:            {by: "run-ends"},
	faultybridge.ServerErrorOnBadJSON:    {by: "bad-json", also: []string{"bad-types"}},
	faultybridge.AnyCredentials:          {by: "auth-wrong", also: []string{"auth-missing", "auth-unicode", "auth-validation", "bad-json", "agents-auth", "validation-missing"}},
	faultybridge.AnyPassword:             {by: "auth-wrong", also: []string{"auth-unicode", "auth-validation", "agents-auth"}},
	faultybridge.ForbiddenForWrong:       {by: "auth-wrong", also: []string{"auth-missing-status", "auth-unicode", "auth-validation", "agents-auth"}},
	faultybridge.MissingAuthServed:       {by: "auth-missing", also: []string{"bad-json", "agents-auth"}},
	faultybridge.ASCIIOnlyComparison:     {by: "auth-unicode"},
	faultybridge.ValidationSaysYes:       {by: "auth-validation", also: []string{"validation-missing"}},
	faultybridge.HTMLErrors:              {by: "error-html"},
	faultybridge.StackTraces:             {by: "stack-traces"},
	faultybridge.EchoesCredentials:       {by: "credentials-echoed"},
	faultybridge.DuplicateOnPage:         {by: "ids-unique"},
	faultybridge.DuplicateInRun:          {by: "ids-unique"},
	faultybridge.NoCheckpointOnLastPage:  {by: "checkpoint-last-page"},
	faultybridge.NoCheckpointOnEmptyPage: {by: "checkpoint-repeated"},
	faultybridge.CheckpointIgnored:       {by: "incremental-small"},
	faultybridge.CheckpointRefused:       {by: "incremental"},
	faultybridge.OffsetDiesOnRestart:     {by: "page-after-restart"},
	faultybridge.OffsetExpires:           {by: "page-later"},
	faultybridge.OffsetOnlyOnce:          {by: "page-twice"},
	faultybridge.SharedCursor:            {by: "two-runs", also: []string{"page-twice"}},
	faultybridge.SlowPage:                {by: "answer-time"},
	faultybridge.WrongContentType:        {by: "content-type"},
	faultybridge.NoContactsArray:         {by: "contacts-array"},
	faultybridge.NullInPhones:            {by: "contact-types"},
	faultybridge.PhoneNotInArray:         {by: "contact-types"},
	faultybridge.CustomFieldNotString:    {by: "contact-types"},
	faultybridge.NullFields:              {by: "contact-nulls"},
	faultybridge.EmptyFields:             {by: "contact-empties"},
	faultybridge.ContextOnlyOnce:         {by: "run-complete"},
	faultybridge.ContextBytesCompared:    {by: "context-reencoded"},
	faultybridge.GzipLies:                {by: "gzip"},
	faultybridge.GzipUnasked:             {by: "gzip"},
	faultybridge.GetIsServed:             {by: "method"},
	faultybridge.AnyMediaType:            {by: "media-type"},
	faultybridge.UnknownFieldsRefused:    {by: "unknown-fields", also: []string{"deletions"}},
	faultybridge.EmptyMarksRefused:       {by: "meta-empty"},
	faultybridge.AbsentMarksRefused:      {by: "meta-absent"},
	faultybridge.OffsetIsNumber:          {by: "next-offset-type", also: []string{"change-drift"}},
	faultybridge.CheckpointIsNumber:      {by: "checkpoint-type", also: []string{"checkpoint-unknown"}},
	faultybridge.ServerErrorOnOffset:     {by: "offset-altered"},
	faultybridge.TruncatedJSON:           {by: "json", also: []string{"run-complete"}},
	faultybridge.NotUTF8:                 {by: "json"},
	faultybridge.DuplicateKeys:           {by: "json-duplicate-keys"},
	faultybridge.SecondPageFails:         {by: "run-complete"},
	faultybridge.UpdatesDontCount:        {by: "change-updated"},
	faultybridge.DeletedStaysListed:      {by: "change-deleted"},
	faultybridge.LargePages:              {by: "page-size"},
	faultybridge.ConnectionsClosed:       {by: "keep-alive"},
	faultybridge.EmptyNextOffset:         {by: "next-offset-empty"},
	faultybridge.DeletionsAreObjects:     {by: "deletions", also: []string{"extensions-unasked"}},
	faultybridge.SlowishPage:             {by: "answer-time-margin"},
	faultybridge.PagesDiffer:             {by: "page-stable", also: []string{"two-runs"}},
	faultybridge.HugeBodyBreaks:          {by: "huge-body"},
	faultybridge.ServerErrorOnCheckpoint: {by: "checkpoint-altered"},
	faultybridge.CreationsAreOld:         {by: "change-created", also: []string{"change-ties"}},
	faultybridge.ReadFromSnapshot:        {by: "change-during"},

	faultybridge.ForeignCheckpointIsNew:     {by: "checkpoint-unknown"},
	faultybridge.RestartForgetsOffset:       {by: "restarted"},
	faultybridge.RestartedOnEveryPage:       {by: "restarted"},
	faultybridge.RestartedWithoutEverything: {by: "restarted"},
	faultybridge.RestartedIncremental:       {by: "restarted"},
	faultybridge.RestartedUnasked:           {by: "extensions-unasked"},
	faultybridge.RestartedIsText:            {by: "flags-type"},
	faultybridge.ExactIsNumber:              {by: "flags-type"},

	faultybridge.AgentsAreAnObject:       {by: "agents-answer"},
	faultybridge.AgentsNeverEnd:          {by: "agents-end", also: []string{"agents-unique"}},
	faultybridge.AgentWithoutEmail:       {by: "agents-fields"},
	faultybridge.AgentIDsAreNumbers:      {by: "agents-id-type"},
	faultybridge.AgentTwice:              {by: "agents-unique"},
	faultybridge.AgentsShareAnAddress:    {by: "agents-emails"},
	faultybridge.AgentOffsetIsText:       {by: "agents-next-offset"},
	faultybridge.AgentOffsetMustBeThere:  {by: "agents-offset-absent"},
	faultybridge.AgentsHaveACursor:       {by: "agents-again"},
	faultybridge.AgentsForAnyone:         {by: "agents-auth"},
	faultybridge.AgentOffsetBreaks:       {by: "agents-offset-altered"},
	faultybridge.ValidationAnswersAList:  {by: "validation-answer"},
	faultybridge.ValidationAnswersNested: {by: "validation-answer"},
	faultybridge.AddedIsRefused:          {by: "validation-values"},
	faultybridge.AddedIsRefusedAgain:     {by: "validation-again"},
	faultybridge.ValidationNeedsNothing:  {by: "validation-missing"},
}

func TestEveryFaultIsCaughtByTheCaseMeantForIt(t *testing.T) {
	reports := map[faultybridge.Fault]bridgetest.Report{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8) // they wait more than they work
	for _, fault := range faultybridge.All() {
		group.Go(func() error {
			b := faultybridge.New(contacts, 10, fault)
			options := quick()
			switch fault {
			case faultybridge.SlowPage:
				options.AnswerLimit, b.SlowAnswer = 3*time.Second, 3100*time.Millisecond
			case faultybridge.SlowishPage:
				options.AnswerLimit, b.SlowAnswer = 5*time.Second, 4100*time.Millisecond
			case faultybridge.OffsetExpires:
				options.Pause = faultybridge.Expiry + 100*time.Millisecond
			}
			report, err := bridgetest.Check(ctx, serve(t, b), options)
			mu.Lock()
			defer mu.Unlock()
			reports[fault] = report
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, fault := range faultybridge.All() {
		t.Run(string(fault), func(t *testing.T) { judge(t, reports[fault], faults[fault]) })
	}
}

// judge demands that the case meant for a fault failed, and no other one that the fault does not break.
func judge(t *testing.T, report bridgetest.Report, want caught) {
	if want.by == "" {
		t.Fatal("no case is meant for this fault")
	}
	found, strict := false, true
	for _, r := range report.Results {
		if r.Outcome != bridgetest.Failed {
			continue
		}
		strict = strict && r.Grade == bridgetest.Info
		switch {
		case r.ID == want.by:
			found = true
		case r.Grade != bridgetest.Info && !slices.Contains(want.also, r.ID):
			t.Errorf("%s (%s) failed although the fault does not break it: %+v", r.ID, r.Grade, r.Findings[0])
		}
	}
	if !found {
		t.Errorf("%s did not find it", want.by)
	}
	if report.Strict != strict {
		t.Errorf("strict_ok is %v", report.Strict)
	}
}
