package event

import (
	"encoding/json"
	"strconv"
)

// appendTo appends the record as encoding/json and PlainJSON write it, to the octet, for a third of the time and
// without memory of its own: there is one for each request.
func (r *Record) appendTo(line []byte) ([]byte, error) {
	line, err := r.Time.AppendText(append(line, `{"time":"`...))
	if err != nil {
		return nil, err
	}
	f := fields{line: append(line, '"')}
	f.text("id", r.ID)
	f.text("kind", string(r.Kind))
	f.some("phase", string(r.Phase))
	f.some("client", r.Client)
	f.some("address", r.Address)
	f.flag("transparent", r.Transparent)
	f.some("actor", r.Actor)
	f.some("purpose", r.Purpose)
	f.value("grant", r.Grant, len(r.Grant) > 0)
	f.value("token", r.Token, r.Token != nil)
	f.text("method", r.Method)
	f.text("host", r.Host)
	f.some("path", r.Path)
	f.text("decision", string(r.Decision))
	f.some("decided_by", r.DecidedBy)
	f.some("reason", r.Reason)
	f.some("operation", r.Operation)
	f.some("subject", r.Subject)
	f.count("other_owners", int64(r.OtherOwners))
	f.some("graphql", r.GraphQL)
	f.value("fields", r.Fields, len(r.Fields) > 0)
	f.value("refs", r.Refs, len(r.Refs) > 0)
	f.some("app", r.App)
	f.count("installation", r.Installation)
	f.some("credential", r.Credential)
	f.some("hashed_token", r.Fingerprint)
	f.count("status", int64(r.Status))
	f.some("cache", r.Cache)
	f.some("github_request_id", r.GitHubRequestID)
	f.name("duration_ms")
	f.line = strconv.AppendFloat(f.line, r.Milliseconds, 'f', -1, 64) // encoding/json has exponents from 1e21 on, which are no Durations
	f.count("bytes_sent", r.Sent)
	f.count("bytes_received", r.Received)
	return append(f.line, '}'), f.err
}

// fields are those of an object in JSON.
type fields struct {
	line []byte
	err  error // the first
}

func (f *fields) name(name string) {
	f.line = append(append(append(f.line, `,"`...), name...), `":`...)
}

func (f *fields) text(name, text string) {
	if !isPlain(text) {
		f.value(name, text, true)
		return
	}
	f.name(name)
	f.line = append(append(append(f.line, '"'), text...), '"')
}

func (f *fields) some(name, text string) {
	if text != "" {
		f.text(name, text)
	}
}

func (f *fields) flag(name string, set bool) {
	if set {
		f.name(name)
		f.line = append(f.line, "true"...)
	}
}

func (f *fields) count(name string, n int64) {
	if n != 0 {
		f.name(name)
		f.line = strconv.AppendInt(f.line, n, 10)
	}
}

// value is any value, if it is there.
func (f *fields) value(name string, v any, is bool) {
	if !is {
		return
	}
	text, err := json.Marshal(v)
	if err != nil && f.err == nil {
		f.err = err
	}
	f.name(name)
	f.line = append(f.line, PlainJSON(text)...)
}

// isPlain reports whether encoding/json and PlainJSON leave a text as it is.
func isPlain(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}
