package proxy_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/event"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// all parses what a client's key lists.
func all[T any](t testing.TB, parse func(string) (T, error), texts []string) (list []T) {
	t.Helper()
	for _, text := range texts {
		v, err := parse(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		list = append(list, v)
	}
	return list
}

func repositories(t testing.TB, globs ...string) []rules.Glob {
	return all(t, rules.ParseRepositoryGlob, globs)
}

func operations(t testing.TB, texts ...string) []policy.Operation {
	return all(t, policy.ParseOperation, texts)
}

func refs(t testing.TB, patterns ...string) []policy.RefPattern {
	return all(t, policy.ParseRefPattern, patterns)
}

// basicAuth is a value of Proxy-Authorization.
func basicAuth(name, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+secret))
}

// authenticate returns the answer to a CONNECT to GitHub's API, on a connection of
// its own. Its body has been read.
func (w *world) authenticate(t testing.TB, proxyAuthorization string) *http.Response {
	t.Helper()
	conn := w.dial(t)
	defer conn.Close()
	resp := connectOn(t, conn, proxyAuthorization)
	bodyOf(t, resp)
	return resp
}

func connectOn(t testing.TB, conn net.Conn, proxyAuthorization string) *http.Response {
	t.Helper()
	field := ""
	if proxyAuthorization != "" {
		field = "Proxy-Authorization: " + proxyAuthorization + "\r\n"
	}
	fmt.Fprintf(conn, "CONNECT api.github.com:443 HTTP/1.1\r\nHost: api.github.com:443\r\n%s\r\n", field)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// bodyOf reads what there is of a body; that of a CONNECT which was accepted
// would be the tunnel.
func bodyOf(t testing.TB, resp *http.Response) string {
	t.Helper()
	if resp.StatusCode == 200 && resp.Request.Method == http.MethodConnect {
		return ""
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// records are the lines of the audit log.
func (w *world) records(t testing.TB) (records []event.Record) {
	t.Helper()
	for line := range strings.Lines(w.auditText()) {
		var record event.Record
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		records = append(records, record)
	}
	return records
}

// auditText is the audit log so far.
func (w *world) auditText() string {
	w.proxy.FlushRecords()
	return w.audit.String()
}

// eventually waits for what happens behind an answer.
func (w *world) eventually(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("there never was %s:\n%s\n%s", what, w.log, w.audit)
		}
	}
}
