package csv_test

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
)

func utf16LE(text string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func windows(t *testing.T, text string) string {
	t.Helper()
	encoded, err := charmap.Windows1252.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// Exports as programs write them are read with no configuration but their path.
func TestExportsAreReadWithoutConfiguration(t *testing.T) {
	for _, test := range []struct{ name, content, want string }{
		{"Google", "First Name,Last Name,Organization Name,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value\n" +
			"Zoë,Doe,Acme,* Work,zoe@example.com,Mobile,+44 7700 900001,Work,+44 7700 900002 ::: +44 7700 900003\n", "Zoë Doe|Acme|zoe@example.com|+44 7700 900001 & +44 7700 900002 ::: +44 7700 900003"},
		{"Outlook German, of Windows", windows(t, "\"Anrede\";\"Vorname\";\"Nachname\";\"Firma\";\"Straße geschäftlich\";\"Telefon geschäftlich\";\"Mobiltelefon\";\"Fax geschäftlich\";\"E-Mail-Adresse\"\r\n"+
			"\"Herr\";\"Jörg\";\"Müller\";\"Groß & Söhne\";\"Weg 1\r\nHinterhaus\";\"030 5550100\";\"0151 5550101\";\"030 5550102\";\"j@example.com\"\r\n"), "Jörg Müller|Groß & Söhne|j@example.com|030 5550100 & 0151 5550101"},
		{
			"Outlook French, of Excel", utf16LE("Prénom\tNom\tSociété\tTéléphone (bureau)\tTéléphone mobile\tAdresse de messagerie\r\nZoé\tDupont\tLœuil\t01 99 00 00 01\t06 39 98 00 01\tz@example.com\r\n"),
			"Zoé Dupont|Lœuil|z@example.com|01 99 00 00 01 & 06 39 98 00 01",
		},
		{"Excel with its hint", "sep=;\r\nNombre;Apellidos;Empresa;Teléfono móvil;Correo\r\nIñaki;Núñez;\"Peña; Hijos\";=\"0034600000001\";i@example.com\r\n", "Iñaki Núñez|Peña; Hijos|i@example.com|0034600000001"},
		{
			"HubSpot", "\xef\xbb\xbf\"Record ID\",\"First Name\",\"Last Name\",\"Email\",\"Phone Number\",\"Associated Company\"\n\"51\",\"Ann\",\"Lee\",\"a@example.com\",\"+1 415 555 0100\",\"Acme\"\n",
			"Ann Lee|Acme|a@example.com|+1 415 555 0100",
		},
		{"a report of Salesforce", "\"Contact ID\",\"First Name\",\"Last Name\",\"Account Name\",\"Phone\",\"Mobile\",\"Email\"\n\"0031\",\"Ann\",\"Lee\",\"Acme\",\"(415) 555-0100\",\"\",\"a@example.com\"\n\n\n" +
			"\"Contacts\"\n\"Copyright (c) 2000-2026 salesforce.com, inc.\"\n", "Ann Lee|Acme|a@example.com|(415) 555-0100"},
		{"titles above, short rows", "Kundenliste;;;\n;;;\nName;Firma;Telefon;E-Mail\nAnn Lee;Acme;030 5550100\n", "Ann Lee|Acme||030 5550100"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := readAll(t, "", test.content)
			if len(got) == 0 {
				t.Fatal("no contacts")
			}
			c := got[0]
			text := strings.Join([]string{c.Name, c.Company, strings.Join(c.Emails, " & "), strings.Join(c.Phones, " & ")}, "|")
			if diff := cmp.Diff(test.want, text); diff != "" {
				t.Error(diff)
			}
		})
	}
}
