package bridge

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

const minCompressed = 1 << 10 // bytes; smaller answers are not worth the work

func setJSONHeaders(header http.Header, length int) {
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(length))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
}

// writeJSON answers with a body, compressed where the caller takes that.
func (x *exchange) writeJSON(status int, body []byte) {
	x.written = true
	x.seen.Status = status
	header := x.w.Header()
	header.Set("Vary", "Accept-Encoding")
	if len(body) >= minCompressed && acceptsGzip(x.r.Header) {
		z := compress(body)
		defer compressors.Put(z)
		header.Set("Content-Encoding", "gzip")
		body = z.out.Bytes()
	}
	setJSONHeaders(header, len(body))
	x.w.WriteHeader(status)
	if _, err := x.w.Write(body); err != nil {
		x.err, x.seen.Code = err, CodeCanceled
	}
}

func (x *exchange) writeNothing(status int) {
	x.written = true
	x.seen.Status = status
	x.w.Header().Set("Cache-Control", "no-store")
	x.w.WriteHeader(status)
}

// acceptsGzip reports whether the caller takes gzip: named, or by *, and not with q=0.
func acceptsGzip(header http.Header) bool {
	for _, line := range header.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(coding, ";")
			if name = strings.TrimSpace(name); !strings.EqualFold(name, "gzip") && name != "*" {
				continue
			}
			q, given := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
			if !given {
				return true
			}
			value, err := strconv.ParseFloat(q, 64)
			return err == nil && value > 0
		}
	}
	return false
}

// A compressor is a gzip writer and its output, kept for reuse: making one costs more than a page.
type compressor struct {
	writer *gzip.Writer
	out    bytes.Buffer
}

var compressors = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a valid one
	return &compressor{writer: w}
}}

// compress returns the body compressed; the compressor goes back to the pool when its output has been written.
func compress(body []byte) *compressor {
	z := compressors.Get().(*compressor)
	z.out.Reset()
	z.writer.Reset(&z.out)
	_, _ = z.writer.Write(body) // to memory: never fails
	_ = z.writer.Close()
	return z
}
