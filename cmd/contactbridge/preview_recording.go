package main

import (
	"fmt"
	"os"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/preview"
	"github.com/contactbridge/contactbridge/internal/recording"
	"github.com/contactbridge/contactbridge/source"
)

// previewTraffic is what preview does with requests: it sends them, records them, or answers them from a recording.
type previewTraffic struct {
	folder   string
	endpoint config.Endpoint
	path     string // of the configuration

	recorder *recording.Recorder
	player   *recording.Player
	known    *source.Recorded
}

// traffic prepares a recording, or takes one's answers; player is nil without one.
func (f *previewFlags) traffic(endpoint config.Endpoint, player *recording.Player) (*previewTraffic, error) {
	t := &previewTraffic{folder: f.record, endpoint: endpoint, path: f.path, player: player}
	if f.record == "" && f.replay == "" {
		return t, nil
	}
	if endpoint.Kind.Family != source.FamilyREST {
		return nil, misuse(fmt.Sprintf("%s is of kind %s, whose traffic cannot be recorded", endpoint.Name, endpoint.Kind.Name),
			"Only what speaks to an API that its configuration or a preset describes can be. Report a fault of another kind with what preview prints, and with a few rows that are made up.")
	}
	if f.record != "" {
		t.recorder = recording.NewRecorder(nil, time.Now())
	}
	return t, nil
}

// carry lets the requests of a source pass through.
func (t *previewTraffic) carry(deps *source.Deps) {
	switch {
	case t.recorder != nil:
		deps.Transport = t.recorder
	case t.player != nil:
		deps.Transport, deps.Clock = t.player, t.player
	}
}

// opened keeps what a recording has to know of the source.
func (t *previewTraffic) opened(src bridge.Source) {
	if recordable, ok := src.(source.Recordable); ok {
		known := recordable.Recorded()
		t.known = &known
	}
}

// end writes the recording, or adds what it did not have to the preview.
func (t *previewTraffic) end(p *preview.Preview) error {
	if t.player != nil {
		p.NotRecorded(t.player.Missing())
	}
	if t.recorder == nil {
		return nil
	}
	if t.known == nil {
		return misuse(t.endpoint.Name+" could not be opened, so that there is nothing to record", "Run preview without --record: it says what is wrong.")
	}
	src, phones, err := writtenEndpoint(t.path, t.endpoint.Name)
	if err != nil {
		return err
	}
	err = t.recorder.Save(t.folder, recording.About{Endpoint: t.endpoint.Name, Known: *t.known, Source: src, Phones: phones, Region: t.endpoint.Phones.Region})
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	p.Recorded = t.folder
	return nil
}

// writtenEndpoint returns the source and the phones of an endpoint as the file has them.
func writtenEndpoint(path, name string) (src, phones *yaml.Node, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	}
	var top yaml.Node
	if err := yaml.Load(text, &top); err != nil {
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	}
	endpoint := inMapping(inMapping(&top, "endpoints"), name)
	if src = inMapping(endpoint, "source"); src == nil {
		return nil, nil, misuse(name+" has several sources, which cannot be recorded together", "Record an endpoint with one of them.")
	}
	return src, inMapping(endpoint, "phones"), nil
}

// inMapping returns what stands at a key; nil without.
func inMapping(node *yaml.Node, key string) *yaml.Node {
	if node != nil && node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		node = node.Content[0]
	}
	if node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}
