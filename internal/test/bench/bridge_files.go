package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/emersion/go-vcard"

	"github.com/contactbridge/contactbridge/internal/demo/sample"
)

// A person is a customer as an object of JSON.
type person struct {
	ID      int      `json:"id"`
	Name    string   `json:"name"`
	Company string   `json:"company"`
	Title   string   `json:"title"`
	Emails  []string `json:"emails"`
	Phones  []string `json:"phones"`
	Address struct {
		City string `json:"city"`
	} `json:"address"`
	Updated time.Time `json:"updated_at"`
}

func bridgeJSONL(ctx context.Context, l *laboratory) ([]result, error) {
	return bridgeFile(ctx, l, fileBench{
		name: "bridge-jsonl", target: 0.6, path: filepath.Join(l.dir, "customers.jsonl"), keys: "kind: jsonl, id: id, updated: updated_at",
		against: "all pages in the order of updated over loopback HTTP, one client, against encoding/json decoding each line of the same file into a struct",
		write:   writeLine, read: readLines,
	})
}

func bridgeVCard(ctx context.Context, l *laboratory) ([]result, error) {
	return bridgeFile(ctx, l, fileBench{
		name: "bridge-vcard", target: 0.5, path: filepath.Join(l.dir, "customers.vcf"), keys: "kind: vcard, id: uid, updated: rev",
		against: "all pages in the order of REV over loopback HTTP, one client, against emersion/go-vcard decoding the same file",
		write:   writeCard, read: readCards,
	})
}

// A fileBench compares a bridge of a file with the plain parser of its format.
type fileBench struct {
	name, path, keys, against string
	target                    float64
	write                     func(w io.Writer, p person) error
	read                      func(r io.Reader) (contacts int, err error)
}

func bridgeFile(ctx context.Context, l *laboratory, b fileBench) ([]result, error) {
	if err := b.fill(l); err != nil {
		return nil, fmt.Errorf("fill %s: %w", b.path, err)
	}
	s, err := l.serve(ctx, fmt.Sprintf("{%s, path: %q}", b.keys, b.path), "{format: as-is}")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	read := func(context.Context) (float64, error) { return b.rate(l) }
	return l.crawlAgainst(ctx, s, read, result{Name: b.name, Target: b.target, against: b.against})
}

// fill writes the customers as an export that has settled.
func (b fileBench) fill(l *laboratory) error {
	f, err := os.Create(b.path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	g := sample.New(seed, start)
	for range l.contacts {
		c := g.Next()
		p := person{ID: c.ID, Name: c.FirstName + " " + c.LastName, Company: c.Company, Title: c.Title, Updated: c.Updated.UTC()}
		p.Emails, p.Phones, p.Address.City = filled(c.Email, c.Email2), filled(c.Phone, c.Mobile), c.City
		err = errors.Join(err, b.write(w, p))
	}
	old := time.Now().Add(-time.Hour)
	return errors.Join(err, w.Flush(), f.Close(), os.Chtimes(b.path, old, old))
}

// filled returns the texts that are not empty.
func filled(texts ...string) []string {
	var list []string
	for _, text := range texts {
		if text != "" {
			list = append(list, text)
		}
	}
	return list
}

// rate is how many contacts a second the plain parser reads.
func (b fileBench) rate(l *laboratory) (float64, error) {
	f, err := os.Open(b.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	started := time.Now()
	n, err := b.read(bufio.NewReaderSize(f, 64<<10))
	if err == nil && n != l.contacts {
		err = fmt.Errorf("the file has %d contacts", n)
	}
	return float64(n) / time.Since(started).Seconds(), err
}

func writeLine(w io.Writer, p person) error {
	return json.NewEncoder(w).Encode(p)
}

func readLines(r io.Reader) (n int, err error) {
	lines := bufio.NewScanner(r)
	for ; lines.Scan(); n++ {
		var p person
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return n, err
		}
	}
	return n, lines.Err()
}

func writeCard(w io.Writer, p person) error {
	text := strings.NewReplacer(",", `\,`, ";", `\;`)
	_, err := fmt.Fprintf(w, "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%d\r\nFN:%s\r\nORG:%s\r\nTITLE:%s\r\n", p.ID, text.Replace(p.Name), text.Replace(p.Company), text.Replace(p.Title))
	for _, email := range p.Emails {
		_, wrong := fmt.Fprintf(w, "EMAIL;TYPE=INTERNET:%s\r\n", email)
		err = errors.Join(err, wrong)
	}
	for _, number := range p.Phones {
		_, wrong := fmt.Fprintf(w, "TEL;TYPE=WORK:%s\r\n", number)
		err = errors.Join(err, wrong)
	}
	_, wrong := fmt.Fprintf(w, "ADR;TYPE=WORK:;;;%s;;;\r\nREV:%s\r\nEND:VCARD\r\n", text.Replace(p.Address.City), p.Updated.Format(time.RFC3339Nano))
	return errors.Join(err, wrong)
}

func readCards(r io.Reader) (n int, err error) {
	decoder := vcard.NewDecoder(r)
	for ; ; n++ {
		if _, err := decoder.Decode(); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
}
