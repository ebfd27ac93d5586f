package proxy

import (
	"bytes"
	"cmp"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"ghapp-proxy/ending"
	"ghapp-proxy/h1"
	"ghapp-proxy/internal/poison"

	"golang.org/x/net/http/httpguts"
)

// answerWriter is the relay's http.ResponseWriter. Head and body of a small answer
// leave in one write. It does what that of net/http's server does; what differs is
// that an answer without a length is chunked whatever its size.
type answerWriter struct {
	takes    *deadline     // of the connection, for writes
	patience time.Duration // for which the client may take nothing; 0 for ever

	conn  net.Conn
	r     *http.Request
	under *ending.Context // of the request: it ends when the client does not take the answer

	part   any       // of what, nil for nothing
	asked  []h1.Name // names of the request's fields, as they came
	names  []h1.Name // of the answer's fields, as they came; nil for any
	reason string    // of a host, "" for the status's own

	header   http.Header
	status   int   // 0 before the final head
	length   int64 // of the body, -1 if it is not known
	written  int64
	framing  framing
	last     bool     // no request follows
	declared []string // trailers
	out      *bytes.Buffer
	err      error // of a write
}

// framing is how the end of a body is told: RFC 9112, section 6.
type framing int

const (
	undecided framing = iota
	without           // there is no body
	byLength
	chunked
)

// maxHeld is how much of an answer is held until more comes, in bytes: somewhat more
// than what bodies are copied through, so that head and part leave in one write.
const maxHeld = copyBufferSize + 4<<10

var answerBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// begin makes the zero value a writer of the answer to r.
func (w *answerWriter) begin(conn net.Conn, takes *deadline, r *http.Request, names []h1.Name, under *ending.Context) {
	w.conn, w.takes, w.r, w.asked, w.under, w.out = conn, takes, r, names, under, answerBuffers.Get().(*bytes.Buffer)
}

// release gives back what the writer holds.
func (w *answerWriter) release() {
	w.out.Reset()
	poison.Over(w.out.AvailableBuffer()[:w.out.Available()])
	answerBuffers.Put(w.out)
	w.out = nil
}

// Header implements http.ResponseWriter.
func (w *answerWriter) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

// as is told how the head of a host's answer was spelled.
func (w *answerWriter) as(names []h1.Name, status string) {
	w.names = names
	if _, reason, ok := strings.Cut(status, " "); ok && httpguts.ValidHeaderFieldValue(reason) {
		w.reason = reason
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *answerWriter) WriteHeader(status int) {
	switch {
	case w.status != 0:
		return // net/http logs it
	case status < 200:
		w.writeStatus(status)
		w.writeFields(true)
		w.out.WriteString("\r\n")
		_ = w.FlushError() // the final head fails, too
		return
	}
	w.status = status
	w.frame()
	w.writeStatus(status)
	w.writeFields(w.framing == without && status == http.StatusNoContent)
	if _, named := w.header["Date"]; !named {
		w.out.WriteString("Date: ")
		w.out.Write(time.Now().UTC().AppendFormat(w.out.AvailableBuffer(), http.TimeFormat))
		w.out.WriteString("\r\n")
	}
	if httpguts.HeaderValuesContainsToken(w.header["Connection"], "close") {
		w.last = true
	} else if w.r.Close {
		w.last = true
		w.out.WriteString("Connection: close\r\n")
	}
	switch w.framing {
	case chunked:
		w.out.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	case undecided: // until it is known whether there is a body
	default:
		w.out.WriteString("\r\n")
	}
}

// frame decides by the head how the end of the body is told.
func (w *answerWriter) frame() {
	w.length = -1
	if values := w.header["Content-Length"]; len(values) > 0 {
		if n, err := strconv.ParseInt(values[0], 10, 64); err == nil && n >= 0 && len(values) == 1 {
			w.length = n
		} else {
			delete(w.header, "Content-Length")
		}
	}
	for _, names := range w.header["Trailer"] {
		for name := range strings.SplitSeq(names, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); httpguts.ValidTrailerHeader(name) {
				w.declared = append(w.declared, name)
			}
		}
	}
	switch {
	case w.r.Method == http.MethodHead, !hasBody(w.status):
		w.framing = without
	case w.length >= 0:
		w.framing = byLength
	case len(w.declared) > 0:
		w.framing = chunked
	}
}

// writeStatus writes the status line.
func (w *answerWriter) writeStatus(status int) {
	w.out.WriteString("HTTP/1.1 ")
	w.out.Write(strconv.AppendInt(w.out.AvailableBuffer(), int64(status), 10))
	w.out.WriteByte(' ')
	w.out.WriteString(cmp.Or(w.reason, http.StatusText(status)))
	w.out.WriteString("\r\n")
}

// writeFields writes the fields of a head, without those that are for a body if there
// can be none. What begins with http.TrailerPrefix is no name, which appendField knows.
func (w *answerWriter) writeFields(bodiless bool) {
	w.out.Write(appendFields(w.out.AvailableBuffer(), w.header, w.names, func(key string, _ []string) bool {
		return key == "Transfer-Encoding" || bodiless && key == "Content-Length"
	}))
}

// Write implements io.Writer.
func (w *answerWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if w.framing == without && w.r.Method != http.MethodHead {
		return 0, http.ErrBodyNotAllowed
	}
	if w.written += int64(len(p)); w.length >= 0 && w.written > w.length {
		return 0, http.ErrContentLength
	}
	switch w.framing {
	case without: // of HEAD
		return len(p), nil
	case byLength:
		return len(p), w.add(p)
	}
	w.beginChunks()
	w.out.Write(strconv.AppendInt(w.out.AvailableBuffer(), int64(len(p)), 16))
	w.out.WriteString("\r\n")
	if err := w.add(p); err != nil {
		return 0, err
	}
	w.out.WriteString("\r\n")
	return len(p), nil
}

// beginChunks ends a head whose framing was undecided.
func (w *answerWriter) beginChunks() {
	if w.framing == undecided {
		w.framing = chunked
		w.out.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	}
}

// add adds octets to what leaves, and sends it if it is much.
func (w *answerWriter) add(p []byte) error {
	if w.out.Len() > 0 && w.out.Len()+len(p) > maxHeld {
		if err := w.send(); err != nil {
			return err
		}
	}
	if w.out.Len() == 0 && len(p) > maxHeld {
		return w.write(p)
	}
	w.out.Write(p)
	return w.err
}

// send sends what was held.
func (w *answerWriter) send() error {
	if w.out.Len() > 0 {
		w.write(w.out.Bytes())
	}
	w.out.Reset()
	return w.err
}

// write writes to the client, as long as he takes it.
func (w *answerWriter) write(p []byte) error {
	if w.err == nil && w.patience > 0 {
		w.err = w.takes.renew(w.patience, w.conn.SetWriteDeadline)
	}
	if w.err == nil {
		_, w.err = w.conn.Write(p)
	}
	if w.err != nil {
		w.under.End()
	}
	return w.err
}

// FlushError implements what http.ResponseController calls Flush.
func (w *answerWriter) FlushError() error {
	if w.status != 0 {
		w.beginChunks()
	}
	return w.send()
}

// SetReadDeadline implements what http.ResponseController calls: a request has come with
// all of its body.
func (w *answerWriter) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements what http.ResponseController calls: the writer has its own.
func (w *answerWriter) SetWriteDeadline(time.Time) error { return nil }

// EnableFullDuplex implements what http.ResponseController calls.
func (w *answerWriter) EnableFullDuplex() error { return nil }

// finish sends the rest of the answer, and reports whether another can follow.
func (w *answerWriter) finish() bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch w.framing {
	case undecided:
		w.out.WriteString("Content-Length: 0\r\n\r\n")
	case chunked:
		w.out.WriteString("0\r\n")
		w.writeTrailers()
		w.out.WriteString("\r\n")
	}
	if w.send() != nil {
		return false
	}
	return !w.last && (w.framing != byLength || w.written == w.length)
}

// abort sends what there is of a body that does not come to its end.
func (w *answerWriter) abort() {
	if w.written > 0 {
		_ = w.send() // the connection is closed
	}
}

// writeTrailers writes the fields behind a body: those that were declared, and those
// whose names say that they are trailers.
func (w *answerWriter) writeTrailers() {
	fields := w.out.AvailableBuffer()
	for _, name := range w.declared {
		fields = appendField(fields, name, w.header[name])
	}
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok && httpguts.ValidTrailerHeader(name) {
			fields = appendField(fields, name, values)
		}
	}
	w.out.Write(fields)
}

// hasBody reports whether an answer of that status may have a body, whatever it
// says of its length: RFC 9112, section 6.3.
func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}
