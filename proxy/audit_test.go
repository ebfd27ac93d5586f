package proxy_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ghapp-proxy/event"
	"ghapp-proxy/githubtest"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// auditSchema is ../event/audit.schema.json.
var auditSchema = sync.OnceValues(func() ([]byte, error) { return os.ReadFile("../event/audit.schema.json") })

// schema is the same, compiled.
var schema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	text, err := auditSchema()
	if err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("audit.schema.json", document); err != nil {
		return nil, err
	}
	return c.Compile("audit.schema.json")
})

// checkRecords sees that each line of an audit log is as its schema says, that
// what begins ends, and that nothing else has the same id.
func checkRecords(t testing.TB, text string) {
	t.Helper()
	schema, err := schema()
	if err != nil {
		t.Fatal(err)
	}
	phases := map[any]string{} // id → phases
	for line := range strings.Lines(text) {
		record, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err == nil {
			err = schema.Validate(record)
		}
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		id, phase := record.(map[string]any)["id"], record.(map[string]any)["phase"]
		phases[id] += fmt.Sprint(phase, " ")
	}
	for id, phases := range phases {
		if phases != "<nil> " && phases != "begin end " {
			t.Errorf("the records of %s are of the phases %s", id, phases)
		}
	}
}

// TestAuditSchemaIsComplete: the schema has the fields of the struct, and
// requires those that are always there.
func TestAuditSchemaIsComplete(t *testing.T) {
	var document struct {
		Properties map[string]any
		Required   []string
	}
	text, err := auditSchema()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	var names, required []string
	for field := range reflect.TypeFor[event.Record]().Fields() {
		name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
		if option != "omitempty" {
			required = append(required, name)
		}
	}
	slices.Sort(names)
	if got := slices.Sorted(maps.Keys(document.Properties)); !slices.Equal(got, names) {
		t.Errorf("the schema has %v,\nthe struct %v", got, names)
	}
	if !slices.Equal(document.Required, required) {
		t.Errorf("the schema requires %v,\nthe struct always has %v", document.Required, required)
	}
}

// audited returns the one record that a function causes, save for that of the
// beginning of a tunnel.
func (w *world) audited(t testing.TB, cause func()) event.Record {
	t.Helper()
	before := len(w.records(t))
	cause()
	records := func() []event.Record {
		return slices.DeleteFunc(w.records(t)[before:], func(r event.Record) bool { return r.Phase == "begin" })
	}
	w.eventually(t, "an audit record", func() bool { return len(records()) > 0 })
	time.Sleep(10 * time.Millisecond)
	if all := records(); len(all) != 1 {
		t.Errorf("%d records, want one: %+v", len(all), all)
	}
	return records()[0]
}

// TestAudit: what a record says of a request of each kind.
func TestAudit(t *testing.T) {
	closed := startSink(t, "127.0.0.1:0")
	w := start(t, func(s *setup) {
		client := withSecret()
		client.Repositories, client.Push = repositories(t, "acme/widgets"), refs(t, "refs/heads/agent/**")
		client.Deny = operations(t, "repos/create-webhook")
		s.options.Clients = clients(t, client)
		s.options.Rules = rules.Set{Exchange: true, Rules: []rules.Rule{{Operations: []string{"licenses/get-for-repo"}, Deny: "not here"}}}
		s.upstream.Egress = egress(t, true, closed.addr+" 127.0.0.2:1", "")
	})
	client := w.clientAs(t, "agent", agentSecret, false)
	fetch := func(url string) func() {
		return func() {
			resp, err := client.Get(url)
			if err != nil {
				return
			}
			bodyOf(t, resp)
			resp.Body.Close()
		}
	}
	connect := func(host string) func() {
		return func() {
			conn := w.dial(t)
			defer conn.Close()
			fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\n", host, basicAuth("agent", agentSecret))
			conn.Read(make([]byte, 1<<10))
		}
	}
	graphql := func(document string) func() {
		return func() {
			body, err := json.Marshal(map[string]string{"query": document})
			if err != nil {
				t.Fatal(err)
			}
			post(t, client, "https://api.github.com/graphql", string(body))
		}
	}
	push := func(ref string) func() {
		return func() {
			line := strings.Repeat("0", 40) + " " + strings.Repeat("1", 40) + " " + ref + "\x00report-status\n"
			resp, err := client.Post("https://github.com/acme/widgets.git/git-receive-pack", "application/x-git-receive-pack-request", strings.NewReader(fmt.Sprintf("%04x%s0000", len(line)+4, line)))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	}
	agents := func(r event.Record) event.Record { r.Client = "agent"; return r }
	for name, test := range map[string]struct {
		cause func()
		want  event.Record // of the fields that are compared
	}{
		"forwarded": {fetch("https://api.github.com/repos/acme/widgets?q=secret"), agents(event.Record{
			Kind: "request", Method: "GET", Host: "api.github.com", Path: "/repos/acme/widgets", Decision: "forwarded",
			Operation: "repos/get", Subject: "acme/widgets", App: "ci-bot", Installation: 111, Credential: "installation", Status: 200,
		})},
		"refused by the client": {fetch("https://api.github.com/repos/acme/gadgets"), agents(event.Record{
			Kind: "request", Method: "GET", Host: "api.github.com", Path: "/repos/acme/gadgets", Decision: "refused", DecidedBy: "client.agent.repositories",
			Operation: "repos/get", Subject: "acme/gadgets", Credential: "none", Status: 403,
		})},
		"refused by a rule": {fetch("https://api.github.com/repos/acme/widgets/license"), agents(event.Record{
			Kind: "request", Method: "GET", Host: "api.github.com", Path: "/repos/acme/widgets/license", Decision: "refused", DecidedBy: "rule[1]",
			Operation: "licenses/get-for-repo", Subject: "acme/widgets", Credential: "none", Status: 403,
		})},
		"refused by a limit of the proxy": {fetch("https://api.github.com/repos/acme/%2e%2e/x"), agents(event.Record{
			Kind: "request", Method: "GET", Host: "api.github.com", Path: "/repos/acme/%2e%2e/x", Decision: "refused", Credential: "none", Status: 400,
		})},
		"http refused by egress": {fetch("http://169.254.169.254/latest"), agents(event.Record{
			Kind: "request", Method: "GET", Host: "169.254.169.254", Path: "/latest", Decision: "refused", DecidedBy: "egress.default", Status: 403,
		})},
		"http that fails": {fetch("http://127.0.0.2:1/x?q=secret"), agents(event.Record{
			Kind: "request", Method: "GET", Host: "127.0.0.2:1", Path: "/x", Decision: "failed", Operation: "elsewhere", Credential: "none", Status: 502,
		})},
		"a CONNECT refused by egress": {connect("192.0.2.1:443"), agents(event.Record{
			Kind: "connect", Method: "CONNECT", Host: "192.0.2.1:443", Decision: "refused", DecidedBy: "egress.default", Status: 403,
		})},
		"a CONNECT that fails": {connect("127.0.0.2:1"), agents(event.Record{
			Kind: "connect", Method: "CONNECT", Host: "127.0.0.2:1", Decision: "failed", Status: 502,
		})},
		"a tunnel": {connect(closed.addr), agents(event.Record{
			Kind: "tunnel", Phase: "end", Method: "CONNECT", Host: closed.addr, Decision: "forwarded", Status: 200,
		})},
		"a wrong secret": {func() { w.authenticate(t, basicAuth("agent", "wrong")) }, event.Record{
			Kind: "connect", Method: "CONNECT", Host: "api.github.com:443", Decision: "refused", Status: 407,
		}},
		"a query": {graphql(`query { x: repository(owner: "acme", name: "widgets") { id } viewer { login } }`), agents(event.Record{
			Kind: "request", Method: "POST", Host: "api.github.com", Path: "/graphql", Decision: "forwarded", GraphQL: "query", Fields: []string{"repository", "viewer"},
			Operation: "graphql", Subject: "acme/widgets", App: "ci-bot", Installation: 111, Credential: "installation", Status: 200,
		})},
		"a mutation": {graphql(`mutation { deleteEverything(input: {}) { id } }`), agents(event.Record{
			Kind: "request", Method: "POST", Host: "api.github.com", Path: "/graphql", Decision: "refused", DecidedBy: "client.agent.repositories", GraphQL: "mutation", Fields: []string{"deleteEverything"},
			Operation: "graphql", Credential: "none", Status: 403,
		})},
		"answered": {func() { exchange(t, client, programJWT(fmt.Sprint(githubtest.CIBotID)), 111, "") }, agents(event.Record{
			Kind: "request", Method: "POST", Host: "api.github.com", Path: fmt.Sprintf(mintPath, 111), Decision: "answered",
			Operation: "apps/create-installation-access-token", App: "ci-bot", Installation: 111, Credential: "none", Status: 201,
		})},
		"a push": {push("refs/heads/agent/x"), agents(event.Record{
			Kind: "request", Method: "POST", Host: "github.com", Path: "/acme/widgets.git/git-receive-pack", Decision: "forwarded",
			Operation: "git-receive-pack", Subject: "acme/widgets", App: "ci-bot", Installation: 111, Credential: "installation", Refs: []string{"refs/heads/agent/x"},
		})},
		"a push that is refused": {push("refs/heads/main"), agents(event.Record{
			Kind: "request", Method: "POST", Host: "github.com", Path: "/acme/widgets.git/git-receive-pack", Decision: "refused", DecidedBy: "client.agent.push",
			Operation: "git-receive-pack", Subject: "acme/widgets", Credential: "none", Status: 200, Refs: []string{"refs/heads/main"},
		})},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			got := w.audited(t, test.cause)
			took := float64(time.Since(start).Microseconds()) / 1000
			if got.Time.Before(start.Add(-time.Second)) || got.Milliseconds > took || got.Milliseconds == 0 && got.Kind == "request" && got.Operation != "" {
				t.Errorf("began at %v and took %v ms, want less than %v ms from %v", got.Time, got.Milliseconds, took, start)
			}
			if !strings.HasPrefix(got.Address, "127.0.0.1:") {
				t.Errorf("address %q", got.Address)
			}
			sent := got.Credential == "installation"
			if (got.Fingerprint != "") != sent || (got.GitHubRequestID != "") != sent {
				t.Errorf("hashed_token %q, github_request_id %q, want both: %v", got.Fingerprint, got.GitHubRequestID, sent)
			}
			if (got.Reason != "") != (got.Decision == "refused" || got.Decision == "failed" || got.Status == 502) {
				t.Errorf("decision %s, reason %q", got.Decision, got.Reason)
			}
			got.Time, got.ID, got.Address, got.Milliseconds, got.Reason, got.Fingerprint, got.GitHubRequestID = time.Time{}, "", "", 0, "", "", ""
			got.Sent, got.Received = 0, 0
			if test.want.Status == 0 {
				got.Status = 0
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("\n got %+v\nwant %+v", got, test.want)
			}
		})
	}
	if strings.Contains(w.auditText(), "q=secret") {
		t.Error("a query is in the audit log")
	}
}

// TestAuditNamesTheToken: by the record, GitHub's own audit log and GitHub's
// support find the request.
func TestAuditNamesTheToken(t *testing.T) {
	w := start(t, nil)
	for url, path := range map[string]string{
		"https://api.github.com/repos/acme/widgets":                             "/repos/acme/widgets",
		"https://github.com/acme/widgets.git/info/refs?service=git-upload-pack": "/acme/widgets.git/info/refs",
	} {
		var resp *http.Response
		var n int
		record := w.audited(t, func() {
			var err error
			if resp, err = w.client(t, true).Get(url); err != nil {
				t.Fatal(err)
			}
			n = len(bodyOf(t, resp))
		})
		_, token, _ := strings.Cut(w.last(t, path).Header.Get("Authorization"), " ")
		if basic, err := base64.StdEncoding.DecodeString(token); err == nil {
			_, token, _ = strings.Cut(string(basic), ":")
		}
		sum := sha256.Sum256([]byte(token))
		if want := base64.StdEncoding.EncodeToString(sum[:]); record.Fingerprint != want {
			t.Errorf("hashed_token %s, want %s", record.Fingerprint, want)
		}
		if want := resp.Header.Get("X-Github-Request-Id"); record.GitHubRequestID != want || want == "" {
			t.Errorf("github_request_id %q, want %q", record.GitHubRequestID, want)
		}
		if record.Received != int64(n) {
			t.Errorf("bytes_received %d, want %d", record.Received, n)
		}
	}
}

// TestAuditOfTunnel: how much passed, and for how long.
func TestAuditOfTunnel(t *testing.T) {
	w := start(t, nil)
	sink := startSink(t, "127.0.0.1:0")
	record := w.audited(t, func() {
		conn, _ := w.connect(t, sink.addr)
		io.WriteString(conn, "hello")
		time.Sleep(20 * time.Millisecond)
		conn.Close()
	})
	if record.Sent != 5 || record.Received != 0 || record.Milliseconds < 20 {
		t.Errorf("%+v, want 5 bytes sent in 20 ms", record)
	}
}

// TestAuditOfAbort: a client that hangs up is recorded all the same.
func TestAuditOfAbort(t *testing.T) {
	w := start(t, nil)
	w.github.Handle("api.github.com", "/stream", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a beginning")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // or the answer might end as if it were complete
	}))
	for _, h2 := range []bool{false, true} {
		record := w.audited(t, func() {
			ctx, cancel := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, "GET", "https://api.github.com/stream", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := w.client(t, h2).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Read(make([]byte, 1))
			cancel()
			resp.Body.Close()
		})
		if record.Decision != "forwarded" || record.Status != 200 || record.Reason == "" || record.Received != 11 {
			t.Errorf("%+v, want a record of an answer that was cut off", record)
		}
	}
}

// TestAuditFailure: a disk that is full stops nobody, and fills no other log.
func TestAuditFailure(t *testing.T) {
	full := &fullDisk{}
	full.full.Store(true)
	w := start(t, func(s *setup) { s.options.Audit = full })
	for range 20 {
		if status, text := get(t, w.client(t, false), "https://api.github.com/repos/acme/widgets"); status != 200 {
			t.Fatalf("%d %s", status, text)
		}
	}
	errorLines := func() int { return strings.Count(w.log.String(), "the audit log cannot be written") }
	w.eventually(t, "twenty records", func() bool { return full.lines.Load() == 20 })
	w.eventually(t, "an error in the log", func() bool { return errorLines() == 1 })
	full.full.Store(false)
	get(t, w.client(t, false), "https://api.github.com/repos/acme/widgets")
	w.eventually(t, "the end of it in the log", func() bool {
		return strings.Contains(w.log.String(), `"the audit log is written again" lost=20`)
	})
	if n := errorLines(); n != 1 {
		t.Errorf("%d errors in the log, want one", n)
	}
}

type fullDisk struct {
	full  atomic.Bool
	lines atomic.Int64
}

func (d *fullDisk) Write(p []byte) (int, error) {
	d.lines.Add(int64(bytes.Count(p, []byte("\n"))))
	if d.full.Load() {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

// TestAuditAtTheEnd: what was recorded is written when the proxy has stopped, also by a
// slow disk; and when another audit log takes its place.
func TestAuditAtTheEnd(t *testing.T) {
	for what, end := range map[string]func(*world){
		"Shutdown": func(w *world) { w.proxy.Shutdown(context.Background()) },
		"Replace":  func(w *world) { w.proxy.StopAudit() },
	} {
		slow := new(slowDisk)
		w := start(t, func(s *setup) { s.options.Audit = slow })
		client := w.client(t, false)
		for range 5 {
			get(t, client, "https://api.github.com/repos/acme/widgets")
		}
		w.eventually(t, "five requests in the log", func() bool { return strings.Count(w.log.String(), "msg=request") == 5 })
		end(w)
		if n := slow.lines.Load(); n != 5 {
			t.Errorf("%s: %d records are written, want 5", what, n)
		}
	}
}

type slowDisk struct{ lines atomic.Int64 }

func (d *slowDisk) Write(p []byte) (int, error) {
	time.Sleep(50 * time.Millisecond)
	d.lines.Add(int64(bytes.Count(p, []byte("\n"))))
	return len(p), nil
}

// TestAuditBounds: a line is bounded, whatever the client sends.
func TestAuditBounds(t *testing.T) {
	w := start(t, func(s *setup) { s.options.Clients = clients(t, &policy.Client{Name: "local", Networks: loopback}) })
	long := strings.Repeat("x", 100_000)
	for _, head := range []string{
		"CONNECT " + long + ":443 HTTP/1.1\r\nHost: x", "GET http://" + long + "/ HTTP/1.1\r\nHost: x",
		"GET http://api.github.com/" + long + " HTTP/1.1\r\nHost: x", long + " http://api.github.com/ HTTP/1.1\r\nHost: x",
	} {
		conn := w.dial(t)
		fmt.Fprintf(conn, "%s\r\n\r\n", head)
		conn.Read(make([]byte, 1<<10))
		conn.Close()
	}
	w.eventually(t, "four records", func() bool { return len(w.records(t)) == 4 })
	if n := len(w.auditText()); n > 4*4000 {
		t.Errorf("four records have %d bytes", n)
	}
}
