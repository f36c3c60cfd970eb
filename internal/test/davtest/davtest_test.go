package davtest_test

import (
	"os"
	"testing"

	"github.com/contactbridge/contactbridge/internal/test/davtest"
)

var (
	radicale = davtest.Suite{Start: davtest.Radicale}
	cyrus    = davtest.Suite{Start: davtest.Cyrus}
	sogo     = davtest.Suite{Start: davtest.SOGo}
)

func TestMain(m *testing.M) { os.Exit(davtest.Main(m, &radicale, &cyrus, &sogo)) }

// Every server has alice's address books, with cards that can be written, moved and removed.
func TestServersKeepCards(t *testing.T) {
	for name, suite := range map[string]*davtest.Suite{"Radicale": &radicale, "Cyrus": &cyrus, "SOGo": &sogo} {
		t.Run(name, func(t *testing.T) {
			server := suite.Server(t)
			one, two := server.Book(t), server.Book(t)
			server.Put(t, one+"a.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:a\r\nFN:Zoë\r\nN:Zoë;;;;\r\nEND:VCARD\r\n")
			server.Move(t, one+"a.vcf", two+"a.vcf")
			server.Delete(t, two+"a.vcf")
		})
	}
}
