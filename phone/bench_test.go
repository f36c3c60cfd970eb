package phone

import "testing"

func benchmarkParse(b *testing.B, raw, region string) {
	if !Parse(raw, region).Valid {
		b.Fatalf("%q is not valid", raw)
	}
	b.ReportAllocs()
	for b.Loop() {
		Parse(raw, region)
	}
}

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, raw, region string }{
		{"national", "(415) 555-0100", "US"},
		{"national-trunk", "030 26550280", "DE"},
		{"international", "+44 20 7946 0958", "DE"},
		{"e164", "+14155550100", ""},
		{"idd", "0049 30 26550280", "FR"},
		{"odd-space", "+49\u00a030\u00a026550280", "DE"},
		{"odd-extension", "(415) 555-0100 ext. 12", "US"},
		{"odd-label", "Tel: +49 30 26550280 (work)", "DE"},
		{"odd-library", "1-800-FLOWERS", "US"},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkParse(b, c.raw, c.region) })
	}
}

func BenchmarkAppendFormat(b *testing.B) {
	dst := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendFormat(dst[:0], "(415) 555-0100", "US")
	}
}

func BenchmarkAppendFormatInvalid(b *testing.B) {
	dst := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendFormat(dst[:0], "555-0100", "US")
	}
}
