package cli

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/config"
	"ghapp-proxy/event"
	"ghapp-proxy/github"
	"ghapp-proxy/githubtest"
	"ghapp-proxy/policy"
)

// asked is a request as both are asked about it.
type asked struct{ method, url, body string }

func (a asked) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %.200s", a.method, a.url, a.body))
}

// told is what can be seen of a decision.
type told struct {
	refused             bool
	reason, remedy, key string
	operation           string
	subject             string
	others, rule        int
	credential          string
	app                 string
	installation        int64
}

// toldByProxy reads it from the event of a request that went through the proxy.
func toldByProxy(e *event.Event) told {
	t := told{
		refused: e.Decision == event.Refused, operation: e.Operation, subject: e.Subject, others: e.OtherOwners, rule: e.Rule,
		credential: e.Credential, app: e.App, installation: e.Installation,
	}
	if t.refused {
		t.credential, t.app, t.installation, t.key = "refused", "", 0, e.DecidedBy
		if why, ok := errors.AsType[*answer.Refusal](e.Err); ok {
			t.reason, t.remedy = why.Title, why.Remedy
		}
	}
	if e.Placeholder {
		t.credential = "placeholder"
	}
	return t
}

// toldByExplain reads it from an explanation.
func toldByExplain(a *explanation) told {
	t := told{
		refused: a.Credential == "refused", reason: a.Reason, remedy: a.Remedy, key: a.Key,
		operation: a.Operation, others: a.Others, rule: a.Rule,
		credential: a.Credential, app: a.App, installation: int64(a.Installation),
	}
	subject := github.Account{
		Login: a.Owner, Repo: a.Repository, Enterprise: a.Enterprise,
		RepositoryID: a.RepositoryID, AccountID: a.AccountID, TeamID: a.TeamID,
	}
	if subject != (github.Account{}) {
		t.subject = subject.String()
	}
	return t
}

// unknowable says what explain, which asks nobody, cannot know about a request; ""
// if it knows all of it. Nothing else may differ.
func unknowable(client *policy.Client, a *explanation, proxied *told) string {
	named := a.Owner == "" && (a.RepositoryID != 0 || a.AccountID != 0)
	switch {
	case a.Operation == "git-receive-pack" && client.LimitsRefs() && a.Credential != "refused":
		return "the refs that a push moves"
	case named && !strings.HasPrefix(proxied.subject, "#"):
		return "the name behind a number"
	case strings.HasPrefix(a.How, "the App's only installation") && a.Installation == 0:
		return "whether an App has just one installation"
	case (a.How == "chosen by a rule" || a.Credential == "placeholder") && client.Scope() != nil && ofInstallation.MatchString(proxied.reason):
		return "whose a chosen installation is"
	}
	return ""
}

// ofInstallation is what only GitHub's answer about an installation gives as a reason.
var ofInstallation = regexp.MustCompile(`^installation \d+( on \w+)? cannot be used within this client's limits|^App \S+ could not look at installation \d+`)

// agreement is a proxy, and who explains by the same configuration.
type agreement struct {
	t      *testing.T
	load   func(variant) *config.Config
	srv    *server
	addr   string
	events chan event.Event
	conns  map[string]*clientConn // client → its connection
	by     map[string]*explainer  // client → who explains what it gets

	requests, differences int
	excused               map[string]int // what cannot be known → requests
	kinds                 map[string]int // of credentials, and refused → requests
}

// TestExplainAgrees sends requests through the proxy and asks explain about them: in
// all that can be seen they are the same.
func TestExplainAgrees(t *testing.T) {
	g := newAgreement(t)
	operations, special := operationRequests(t), specialRequests()
	for n, v := range variants {
		g.use(v)
		for i, request := range operations {
			if i%len(variants) == n {
				g.compare(agreementClients[i/len(variants)%len(agreementClients)].name, request)
			}
		}
		for i, client := range agreementClients {
			for j, request := range special {
				if i < 2 || (i+j)%len(variants) == n { // without limits, the rules alone decide
					g.compare(client.name, request)
				}
			}
		}
	}
	t.Logf("%d requests, %d differences; what cannot be known: %v; became: %v", g.requests, g.differences, g.excused, g.kinds)
	if g.requests < 5000 {
		t.Errorf("only %d requests were compared", g.requests)
	}
	for _, kind := range []string{"refused", "installation", "jwt", "basic", "keep", "none", "placeholder"} {
		if g.kinds[kind] == 0 {
			t.Errorf("no request became %s", kind)
		}
	}
	for what, n := range g.excused {
		if n > g.requests/20 {
			t.Errorf("%d of %d requests were excused for %s", n, g.requests, what)
		}
	}
}

// newAgreement starts a proxy in front of a fake GitHub that answers 204 to whatever
// the proxy does not ask itself: what is compared is what leaves.
func newAgreement(t *testing.T) *agreement {
	fake := githubtest.Start(t, githubtest.Options{Instances: []string{"ghe.example.com"}})
	fake.Inject(githubtest.Fault{
		Match: func(r *githubtest.Request) bool { return r.Header.Get("User-Agent") != "ghapp-proxy" },
		Do: func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
		},
	})
	dir := t.TempDir()
	write := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ci-bot.pem", fake.App("ci-bot").PrivateKeyPEM())
	write("release-bot.pem", fake.App("release-bot").PrivateKeyPEM())
	write("ci-bot.secret", []byte(fake.App("ci-bot").ClientSecret))
	write("roots.pem", fake.CAPEM())
	var connectTo []string
	for from, to := range fake.ConnectTo() {
		connectTo = append(connectTo, fmt.Sprintf("%q = %q", from, to))
	}
	load := func(v variant) *config.Config {
		text := agreementKeys + v.keys + agreementApps + "[upstream]\nca_file = \"roots.pem\"\nconnect_to = { " + strings.Join(connectTo, ", ") + " }\n[governor]\nenabled = false\n" // nobody waits a second for each
		for _, c := range agreementClients[1:] {
			text += fmt.Sprintf("[client.%s]\nsecret_hash = %q\n%s\n", c.name, policy.HashSecret("secret-of-"+c.name), c.limits)
		}
		write("config.toml", []byte(text+v.rules))
		cfg, err := config.Load(t.Context(), config.Source{Path: filepath.Join(dir, "config.toml"), HomeDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	g := &agreement{
		t: t, load: load, events: make(chan event.Event, 1), conns: map[string]*clientConn{},
		excused: map[string]int{}, kinds: map[string]int{},
	}
	g.start(load(variants[0]))
	return g
}

// start starts the proxy.
func (g *agreement) start(cfg *config.Config) {
	cas, err := openAuthorities(cfg, inMemory(cfg))
	if err != nil {
		g.t.Fatal(err)
	}
	ended := func(e *event.Event) {
		if e.Kind == event.Request {
			g.events <- *e
		}
	}
	g.srv, err = newServer(cfg, cas, serverOptions{events: []func(*event.Event){ended}, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		g.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		g.t.Fatal(err)
	}
	g.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- g.srv.Serve(ln) }()
	g.t.Cleanup(func() {
		for _, c := range g.conns {
			c.Close()
		}
		if err := g.srv.stop(context.Background(), 10*time.Second, func() {}); err != nil {
			g.t.Errorf("stop: %v", err)
		}
		if err := <-served; err != http.ErrServerClosed {
			g.t.Errorf("Serve: %v", err)
		}
	})
}

// use puts another configuration in force.
func (g *agreement) use(v variant) {
	cfg := g.load(v)
	next, err := g.srv.prepare(cfg, g.srv.now.Load().cas)
	if err != nil {
		g.t.Fatal(err)
	}
	g.srv.replace(next)
	g.by = map[string]*explainer{}
	for _, c := range agreementClients {
		e, err := explainerOf(cfg, c.name)
		if err != nil {
			g.t.Fatal(err)
		}
		g.by[c.name] = e
	}
}

// compare asks both about a request of a client's.
func (g *agreement) compare(client string, request asked) {
	g.t.Helper()
	e := g.by[client]
	explained, err := e.explain(request.method, request.url, request.body)
	if err != nil {
		g.t.Fatalf("explain %s: %v", request, err)
	}
	proxied := toldByProxy(g.send(client, request))
	g.requests++
	g.kinds[proxied.credential]++
	got := toldByExplain(&explained)
	if got == proxied {
		return
	}
	if what := unknowable(e.snapshot.Client, &explained, &proxied); what != "" {
		g.excused[what]++
		return
	}
	if g.differences++; g.differences <= 40 {
		g.t.Errorf("%s: %s\nexplain: %+v\nproxy:   %+v", client, request, got, proxied)
	}
}

// send sends a request through the proxy, as it is, and returns what became of it.
func (g *agreement) send(client string, request asked) *event.Event {
	g.t.Helper()
	conn := g.conns[client]
	if conn == nil || conn.ended {
		conn = g.dial()
		g.conns[client] = conn
	}
	if err := conn.exchange(client, request); err != nil {
		g.t.Fatalf("%s: %s: %v", client, request, err)
	}
	select {
	case e := <-g.events:
		return &e
	case <-time.After(10 * time.Second):
		g.t.Fatalf("%s: %s: nothing says what became of it", client, request)
		return nil
	}
}

// clientConn is a client's connection to the proxy.
type clientConn struct {
	net.Conn
	in    *bufio.Reader
	ended bool
}

func (g *agreement) dial() *clientConn {
	conn, err := net.Dial("tcp", g.addr)
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(5 * time.Minute))
	}
	if err != nil {
		g.t.Fatal(err)
	}
	return &clientConn{Conn: conn, in: bufio.NewReader(conn)}
}

// exchange sends a request over http://, which takes no handshake, and reads the
// answer.
func (c *clientConn) exchange(client string, request asked) error {
	host, _, _ := strings.Cut(strings.TrimPrefix(request.url, "https://"), "/")
	head := request.method + " http" + strings.TrimPrefix(request.url, "https") + " HTTP/1.1\r\nHost: " + host +
		"\r\nAuthorization: token of-its-own\r\n"
	if client != "" {
		head += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(client+":secret-of-"+client)) + "\r\n"
	}
	if request.body != "" {
		head += "Content-Type: application/json\r\n"
	}
	if _, err := fmt.Fprintf(c, "%sContent-Length: %d\r\n\r\n%s", head, len(request.body), request.body); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, &http.Request{Method: request.method})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	c.ended = resp.Close
	return errors.Join(err, resp.Body.Close())
}

// TestExplainConnect: a tunnel to a served host is refused to a client that may not
// reach it, as by the proxy.
func TestExplainConnect(t *testing.T) {
	limited := &policy.Client{Name: "agent", Hosts: []string{"api.github.com"}}
	e := &explainer{hosts: map[string]github.Host{}, egress: &policy.Egress{}}
	for _, host := range github.GitHubCom.Hosts() {
		e.hosts[host.Name] = host
	}
	for _, test := range []struct {
		client *policy.Client
		to     string
		key    string
	}{
		{nil, "github.com:443", ""},
		{limited, "api.github.com:443", ""},
		{limited, "github.com:443", "client.agent.hosts"},
	} {
		e.snapshot.Client = test.client
		a, err := e.explain("CONNECT", test.to, "")
		if err != nil || a.Key != test.key || (a.Credential == "refused") != (test.key != "") {
			t.Errorf("CONNECT %s of %v: %s by %q (%v), want by %q", test.to, test.client, a.Credential, a.Key, err, test.key)
		}
	}
}
