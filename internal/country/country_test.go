package country_test

import (
	"testing"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/phone"
)

func TestACountryIsFoundByItsCodesAndNames(t *testing.T) {
	for text, want := range map[string]string{
		"DE": "DE", "de": "DE", "DEU": "DE", "Germany": "DE", "Deutschland": "DE", "Allemagne": "DE", "Alemania": "DE", "Germania": "DE",
		"Alemanha": "DE", "Duitsland": "DE", " GERMANY ": "DE", "UK": "GB", "U.K.": "GB", "GBR": "GB", "England": "GB", "Scotland": "GB",
		"USA": "US", "U.S.A.": "US", "us": "US", "United States of America": "US", "The United States": "US", "Estados Unidos": "US",
		"Viet Nam": "VN", "Vietnam": "VN", "Côte d’Ivoire": "CI", "Ivory Coast": "CI", "Österreich": "AT", "Ostereich": "", "Osterreich": "AT",
		"Nederland": "NL", "The Netherlands": "NL", "Svizzera": "CH", "Suíça": "CH", "España": "ES", "Espana": "ES", "Brasil": "BR",
		"Tschechien": "CZ", "Czech Republic": "CZ", "South Korea": "KR", "Hong Kong": "HK", "Russian Federation": "RU",
		"": "", "Atlantis": "", "ZZ": "", "Bavaria": "", "276": "", "-": "",
	} {
		if got := country.Code(text); got != want {
			t.Errorf("Code(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestEveryCountryIsFoundByItsNameInSevenLanguages(t *testing.T) {
	for _, tag := range []language.Tag{
		language.English, language.German, language.French, language.Spanish, language.Italian, language.Portuguese, language.Dutch,
	} {
		names := display.Regions(tag)
		for _, code := range phone.Regions() {
			region, err := language.ParseRegion(code)
			if err != nil {
				t.Fatal(err)
			}
			if name := names.Name(region); name != "" && country.Code(name) != code {
				t.Errorf("%s in %s: %q is %q", code, tag, name, country.Code(name))
			}
			if iso3 := region.ISO3(); iso3 != "ZZZ" && country.Code(iso3) != code {
				t.Errorf("%s: %q is %q", code, iso3, country.Code(iso3))
			}
		}
	}
}

// TestWhatNamesNoCountry: a placeholder is not a country's code, so that its numbers are not read as that country's.
func TestWhatNamesNoCountry(t *testing.T) {
	for _, text := range []string{"n/a", "N.A.", "-", "XX", "unknown", "(DE)", "Atlantis", "Paris, France", "Springfield, Georgia", "Kingdom, The"} {
		if code := country.Code(text); code != "" {
			t.Errorf("%q is %s", text, code)
		}
	}
	for text, want := range map[string]string{
		" de ": "DE", "NA": "NA", "U.K.": "GB", "Germany (DE)": "DE", "United Kingdom (UK)": "GB", "Netherlands (the)": "NL", "Oesterreich": "AT",
		"Iran, Islamic Republic of": "IR", "Tanzania, United Republic of": "TZ", "Moldova, Republic of": "MD", "Venezuela, Bolivarian Republic of": "VE",
		"Bolivia, Plurinational State of": "BO", "Congo, the Democratic Republic of the": "CD", "Congo, Democratic Republic of the": "CD", "Congo": "CG",
		"Palestine, State of": "PS", "Bahamas, The": "BS", "Gambia, The": "GM", "Korea, Republic of": "KR", "Korea, Democratic People's Republic of": "KP",
		"Micronesia, Federated States of": "FM", "Taiwan, Province of China": "TW", "Macedonia, the former Yugoslav Republic of": "MK",
		"Virgin Islands, U.S.": "VI", "Virgin Islands, British": "VG", "Netherlands, Kingdom of the": "NL", "Eswatini": "SZ", "Weißrussland": "BY", "Vatikan": "VA",
		"Vaticano": "VA", "Palestina": "PS", "Elfenbeinkueste": "CI", "XKX": "XK", "Holy See (Vatican City State)": "VA", "Czech Rep.": "CZ", "KSA": "SA",
		"Ireland, Republic of": "IE", "Suedkorea": "KR", "Grossbritannien": "GB",
		"Tuerkei": "TR", "Suedafrika": "ZA", "Daenemark": "DK", "Sverige": "SE", "Norge": "NO", "North Macedonia": "MK", "Nordmazedonien": "MK",
	} {
		if code := country.Code(text); code != want {
			t.Errorf("%q is %q, want %s", text, code, want)
		}
	}
}
