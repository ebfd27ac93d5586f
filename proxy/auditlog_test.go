package proxy_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// reader is what reads an audit log, until it stops or its disk is full.
type reader struct {
	logBuffer
	reads sync.Mutex // held while nothing is read
	full  bool
}

func (r *reader) Write(p []byte) (int, error) {
	r.reads.Lock()
	defer r.reads.Unlock()
	if r.full {
		return 0, errors.New("the disk is full")
	}
	return r.logBuffer.Write(p)
}

// TestAuditLogNobodyReads: requests go on, and what waited is written when
// somebody reads.
func TestAuditLogNobodyReads(t *testing.T) {
	audit := new(reader)
	w := start(t, func(s *setup) { s.options.Audit = audit })
	client := w.client(t, false)
	const requests = 5
	audit.reads.Lock()
	for range requests {
		if status, body := get(t, client, "https://api.github.com/repos/acme/widgets"); status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
	}
	if got := audit.String(); got != "" {
		t.Fatalf("%q was written", got)
	}
	audit.reads.Unlock()
	waitFor(t, func() bool { return strings.Count(audit.String(), "\n") == requests }, "what waited")
}

// TestAuditRequired: nothing leaves of which there is no record.
func TestAuditRequired(t *testing.T) {
	elsewhere := startSink(t, "127.0.0.1:0")
	audit := new(reader)
	w := start(t, func(s *setup) { s.options.Audit, s.options.AuditRequired = audit, true })
	client := w.client(t, false)
	const target = "https://api.github.com/repos/acme/widgets"
	attempt := func(what string, want int) {
		t.Helper()
		w.github.Reset()
		before := len(elsewhere.all())
		if status, body := get(t, client, target); status != want || want != 200 && !strings.Contains(body, "ghapp-proxy: the audit log cannot be written") {
			t.Errorf("%s: %d %s, want %d", what, status, body, want)
		}
		if _, resp := w.connect(t, elsewhere.addr); resp.StatusCode != want {
			t.Errorf("%s: a tunnel: %s, want %d", what, resp.Status, want)
		}
		if want == 200 {
			return
		}
		if status, _ := get(t, client, "http://"+elsewhere.addr+"/"); status != want {
			t.Errorf("%s: elsewhere: %d, want %d", what, status, want)
		}
		for _, got := range w.github.Requests() {
			if "https://"+got.Host+got.Path() == target { // the proxy may still ask questions of its own
				t.Errorf("%s: %s %s left", what, got.Method, got.Path())
			}
		}
		for _, got := range elsewhere.all()[before:] {
			if got != "" {
				t.Errorf("%s: %q left", what, got)
			}
		}
	}
	attempt("while it is read", 200)
	if got := audit.String(); strings.Count(got, `"phase":"begin"`) < 2 || strings.Index(got, `"phase":"begin"`) > strings.Index(got, `"phase":"end"`) {
		t.Errorf("the records:\n%s", got)
	}
	audit.full = true
	attempt("with a full disk", 503)
	audit.full = false
	attempt("with room again", 200)
	audit.reads.Lock()
	attempt("that nobody reads", 503)
	audit.reads.Unlock()
	waitFor(t, func() bool { status, _ := get(t, client, target); return status == 200 }, "a reader")
}
