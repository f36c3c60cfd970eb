package bridgetest_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge/bridgetest"
	"github.com/contactbridge/contactbridge/bridge/bridgetest/faultybridge"
)

func TestAReplayJudgesAsTheRecordedCheckDid(t *testing.T) {
	for _, fault := range []faultybridge.Fault{
		faultybridge.None, faultybridge.PageNumbers, faultybridge.EchoesCredentials, faultybridge.CheckpointIsNow,
		faultybridge.HTMLErrors, faultybridge.NotUTF8, faultybridge.OffsetDiesOnRestart, faultybridge.AddedIsRefused,
	} {
		t.Run(string(fault), func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "traffic")
			options := quick()
			options.Record = folder
			recorded := check(t, serve(t, faultybridge.New(contacts, 10, fault)), options)
			replayed := check(t, bridgetest.Target{}, bridgetest.Options{Replay: folder})
			if replayed.Target != recorded.Target || replayed.Run != recorded.Run || replayed.Counts != recorded.Counts {
				t.Errorf("%+v %+v, recorded %+v %+v", replayed.Run, replayed.Counts, recorded.Run, recorded.Counts)
			}
			for i, r := range replayed.Results {
				if was := recorded.Results[i]; r.Outcome != was.Outcome || r.Count != was.Count {
					t.Errorf("%s: %s, %d findings; recorded %s, %d", r.ID, r.Outcome, r.Count, was.Outcome, was.Count)
				}
			}
			secrets(t, folder)
		})
	}
}

// secrets demands that no file of a recording holds a credential.
func secrets(t *testing.T, folder string) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), faultybridge.Auth()["password"]) || strings.Contains(string(text), "session-4711") {
			t.Errorf("%s holds the password", file.Name())
		}
	}
}

func TestReportsNeverShowCredentials(t *testing.T) {
	for _, fault := range []faultybridge.Fault{faultybridge.EchoesCredentials, faultybridge.AnyCredentials, faultybridge.NumberIDs} {
		report := check(t, serve(t, faultybridge.New(contacts, 10, fault)), quick())
		var b strings.Builder
		if err := report.WriteText(&b, false, true); err != nil {
			t.Fatal(err)
		}
		if err := report.WriteJUnit(&b, true); err != nil {
			t.Fatal(err)
		}
		if report.OK || strings.Contains(b.String(), faultybridge.Auth()["password"]) {
			t.Errorf("%s: ok %v, or the password is shown", fault, report.OK)
		}
	}
}

func TestRecordingRefusesAFolderThatIsInUse(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "mine.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	options := quick()
	options.Record = folder
	_, err := bridgetest.Check(t.Context(), serve(t, faultybridge.New(contacts, 10, faultybridge.None)), options)
	if err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Error(err)
	}
}

func TestTargetsThatAreNoURLAreRefused(t *testing.T) {
	for _, url := range []string{"", "bridge.example.com/contact_sync", "ftp://bridge.example.com", "http://", "http://[::1"} {
		if _, err := bridgetest.Check(t.Context(), bridgetest.Target{URL: url}, quick()); err == nil {
			t.Errorf("%q was accepted", url)
		}
	}
}

func TestACancelledCheckSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bridgetest.Check(ctx, serve(t, faultybridge.New(contacts, 10, faultybridge.None)), quick()); err == nil {
		t.Error("no error")
	}
}
