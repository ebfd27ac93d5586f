package cli

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"ghapp-proxy/event"
	"ghapp-proxy/internal/poison"
)

// plainLines writes what slog.JSONHandler writes, for an eighth of its cost, of lines with
// nothing in them that is to be escaped: almost all. The rest is for the handler behind it.
type plainLines struct {
	slog.Handler // of JSON, to the same writer
	to           io.Writer
}

// newJSON returns the handler for JSON.
func newJSON(to io.Writer, level slog.Level) slog.Handler {
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: millisecondsInJSON}
	return &plainLines{slog.NewJSONHandler(plainJSON{to}, opts), to}
}

var lineBuffers = sync.Pool{New: func() any { return new([]byte) }}

// maxKeptLine is the length of a line whose memory is kept for another.
const maxKeptLine = 16 << 10

// Handle implements slog.Handler.
func (h *plainLines) Handle(ctx context.Context, r slog.Record) error {
	kept := lineBuffers.Get().(*[]byte)
	line, ok := appendLine((*kept)[:0], &r)
	if !ok {
		lineBuffers.Put(kept)
		return h.Handler.Handle(ctx, r)
	}
	_, err := h.to.Write(line)
	if cap(line) <= maxKeptLine {
		*kept = line
		poison.Over(line)
		lineBuffers.Put(kept)
	}
	return err
}

// appendLine appends the line of a record, and reports false where it is none of the plain ones.
func appendLine(line []byte, r *slog.Record) (_ []byte, ok bool) {
	if y := r.Time.Year(); r.Time.IsZero() || y < 0 || y > 9999 || !isPlain(r.Message) {
		return line, false
	}
	line = append(line, `{"time":"`...)
	line = r.Time.AppendFormat(line, time.RFC3339Nano)
	line = append(line, `","level":"`...)
	line = append(line, r.Level.String()...)
	line = append(line, `","msg":"`...)
	line = append(line, r.Message...)
	line = append(line, '"')
	ok = true
	r.Attrs(func(a slog.Attr) bool {
		line, ok = appendAttr(line, a)
		return ok
	})
	return append(line, "}\n"...), ok
}

func appendAttr(line []byte, a slog.Attr) (_ []byte, ok bool) {
	if !isPlain(a.Key) {
		return line, false
	}
	line = append(line, ',', '"')
	line = append(line, a.Key...)
	switch v := a.Value; v.Kind() {
	case slog.KindString:
		text := v.String()
		if !isPlain(text) {
			return line, false
		}
		line = append(line, `":"`...)
		line = append(line, text...)
		return append(line, '"'), true
	case slog.KindInt64:
		return strconv.AppendInt(append(line, `":`...), v.Int64(), 10), true
	case slog.KindBool:
		return strconv.AppendBool(append(line, `":`...), v.Bool()), true
	case slog.KindDuration: // as millisecondsInJSON has it: encoding/json writes such numbers so
		return strconv.AppendFloat(append(line, `_ms":`...), float64(v.Duration().Microseconds())/1000, 'f', -1, 64), true
	}
	return line, false
}

// isPlain reports whether a text stands in JSON as it is: RFC 8259, section 7.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// millisecondsInJSON writes a duration as the audit log does: slog has whole
// nanoseconds, under a name that does not say so.
func millisecondsInJSON(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.Float64(a.Key+"_ms", float64(a.Value.Duration().Microseconds())/1000)
	}
	return a
}

// plainJSON escapes in JSON what steers terminals, which encoding/json leaves.
type plainJSON struct{ to io.Writer }

// Write implements io.Writer.
func (w plainJSON) Write(p []byte) (int, error) {
	if _, err := w.to.Write(event.PlainJSON(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
