package proxy_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/githubtest"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// The client agent is compromised: whoever has it sends what they like. It is
// granted one repository, three permissions and the branches below agent/; the
// Apps behind the proxy could do much more. Each line of attacks_*_test.go is an
// attempt to get more than that, and what becomes of it:
//
//	"403 client agent …"  refused by the proxy, with that message
//	"400"                 refused by its HTTP server
//	"confined 404"        it arrives, but with a token for no more than is
//	                      granted, and that is what GitHub answers
//
// Whatever becomes of it, GitHub is asked by nobody with a token that is worth
// more; of what is refused it hears nothing; and no answer has a secret in it.

// granted is what the tokens of agent are good for.
var granted = map[string]string{"contents": "write", "pull_requests": "write", "issues": "write", "metadata": "read"}

// agent returns the compromised client, who connects from the tests' network.
func agent(t testing.TB) *policy.Client {
	t.Helper()
	repository, err := rules.ParseRepositoryGlob("acme/widgets")
	if err != nil {
		t.Fatal(err)
	}
	push, err := policy.ParseRefPattern("refs/heads/agent/**")
	if err != nil {
		t.Fatal(err)
	}
	admin, err := policy.ParseOperation("admin")
	if err != nil {
		t.Fatal(err)
	}
	return &policy.Client{
		Name: "agent", Networks: loopback, Repositories: []rules.Glob{repository}, DefaultOwner: "acme", Permissions: granted,
		Push: []policy.RefPattern{push}, Deny: []policy.Operation{admin},
		Limits: policy.Limits{LookupsPerMinute: 6000},
	}
}

// compromise starts a world whose client is agent. Its token has been minted.
func compromise(t *testing.T, change func(*setup, *policy.Client)) *world {
	t.Helper()
	w := start(t, func(s *setup) {
		client := agent(t)
		if change != nil {
			change(s, client)
		}
		if s.options.Clients == nil {
			s.options.Clients = clients(t, client)
		}
	})
	w.attempt(t, attack{what: "what is granted", request: "GET /repos/acme/widgets", want: "confined 200"})
	w.github.Reset()
	return w
}

// attack is one request.
type attack struct {
	what    string
	host    string // of the connection, api.github.com if there is none
	request string // "METHOD target", fields after LF, a body after two; or all of it, as it is sent
	want    string
	asks    bool // GitHub is asked whose a number is, and no more
}

func (w *world) attempts(t *testing.T, attacks []attack) {
	t.Helper()
	for _, a := range attacks {
		w.attempt(t, a)
	}
}

// attempt sends the request and compares what comes of it.
func (w *world) attempt(t *testing.T, a attack) {
	t.Helper()
	if a.host == "" {
		a.host = "api.github.com"
	}
	if a.what == "" {
		a.what = a.request
	}
	conn := w.intercepted(t, a.host, nil)
	defer conn.Close()
	got := w.answerOf(t, conn, spell(a.host, a.request))
	w.compare(t, a, got)
}

// compare expects an outcome, and that what arrived was confined.
func (w *world) compare(t *testing.T, a attack, got string) {
	t.Helper()
	arrived, asked := w.arrived(t, a.what)
	if arrived > 0 {
		got = "confined " + got
	}
	if !strings.HasPrefix(got, a.want) || a.want == "" {
		t.Errorf("%.300q:\n\tgot  %.300q\n\twant %.300q", a.what, got, a.want)
	}
	if arrived == 0 && asked > 0 && !a.asks {
		t.Errorf("%.300q: GitHub was asked %d questions", a.what, asked)
	}
	w.github.Reset()
}

// spell writes a request in full.
func spell(host, request string) string {
	if strings.Contains(request, " HTTP/1.1\r\n") {
		return request
	}
	head, body, _ := strings.Cut(request, "\n\n")
	line, fields, _ := strings.Cut(head, "\n")
	text := line + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: attacker\r\n"
	for field := range strings.Lines(fields) {
		text += strings.TrimSuffix(field, "\n") + "\r\n"
	}
	if body != "" && !strings.Contains(text, "Transfer-Encoding") && !strings.Contains(text, "Content-Length") {
		text += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	return text + "\r\n" + body
}

// answerOf sends text and returns the first answer: its status, and the message
// where it is the proxy's.
func (w *world) answerOf(t *testing.T, conn net.Conn, text string) string {
	t.Helper()
	conn.SetDeadline(time.Now().Add(soon))
	go io.WriteString(conn, text) // the answer may come before all is sent
	method, _, _ := strings.Cut(text, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return "closed"
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Sprintf("%d and %v", resp.StatusCode, err)
	}
	if leaks := w.github.Leaks(append(fmt.Append(nil, resp.Header), body...)); len(leaks) > 0 {
		t.Errorf("%.300q: the answer has %d secrets in it", text, len(leaks))
	}
	return outcome(resp, body)
}

var details = regexp.MustCompile(`details="(.*)"`)

// outcome is the status of an answer, with the message of the proxy's.
func outcome(resp *http.Response, body []byte) string {
	status := strconv.Itoa(resp.StatusCode)
	ours := details.FindStringSubmatch(resp.Header.Get("Proxy-Status"))
	if ours == nil {
		return status
	}
	var answer struct{ Message string }
	message := string(body)
	if json.Unmarshal(body, &answer) == nil && answer.Message != "" {
		message = answer.Message
	}
	if text, ok := strings.CutPrefix(message, "ghapp-proxy: "); ok {
		return status + " " + strings.TrimSuffix(text, "\n")
	}
	return status + " " + strings.ReplaceAll(ours[1], `\"`, `"`) // a push is told in git's form
}

// arrived counts the requests that arrived, and those by which the proxy asks
// on its own, and fails the test for tokens that are worth too much.
func (w *world) arrived(t *testing.T, what string) (passed, asked int) {
	t.Helper()
	for _, r := range w.github.Requests() {
		if r.Header.Get("User-Agent") == "ghapp-proxy" {
			asked++
			checkQuestion(t, what, r)
			continue
		}
		passed++
		if len(r.Header["Authorization"]) != 1 || r.Header["Proxy-Authorization"] != nil || r.Header["Cookie"] != nil || strings.Contains(r.Path(), "rockets") || strings.Contains(r.Path(), "globex") {
			t.Errorf("%.300q: %v arrived with %d credentials", what, r, len(r.Header["Authorization"]))
		}
		if r.Scope == nil || !slices.Equal(r.Scope.Repositories, []string{"acme/widgets"}) || !within(r.Scope.Permissions) {
			t.Errorf("%.300q: %v arrived with a token for %+v", what, r, r.Scope)
		}
	}
	return passed, asked
}

// checkQuestion sees that the proxy's own requests are for no token that is
// worth more than what is granted, save those by which it lists repositories.
func checkQuestion(t *testing.T, what string, r *githubtest.Request) {
	t.Helper()
	var asked struct {
		Repositories []string          `json:"repositories"`
		Permissions  map[string]string `json:"permissions"`
	}
	switch {
	case r.Scope != nil:
		// Before it waits for a young token it asks whether there is what was asked for.
		own := slices.Equal(r.Scope.Repositories, []string{"acme/widgets"}) && within(r.Scope.Permissions)
		if !onlyMetadata(r.Scope.Permissions) && (!own || r.Method != "GET") {
			t.Errorf("%.300q: the proxy asked %v with a token for %+v", what, r, r.Scope)
		}
	case r.Method == "GET" && r.Credential == githubtest.CredentialJWT:
	case r.Method != "POST" || !strings.HasSuffix(r.Path(), "/access_tokens"):
		t.Errorf("%.300q: the proxy asked %v", what, r)
	case json.Unmarshal(r.Body, &asked) != nil:
		t.Errorf("%.300q: a token was asked for with %q", what, r.Body)
	case onlyMetadata(asked.Permissions):
	case r.Path() != fmt.Sprintf(mintPath, githubtest.AcmeInstallation) || !slices.Equal(asked.Repositories, []string{"widgets"}) || !within(asked.Permissions):
		t.Errorf("%.300q: a token was asked for with %s %s", what, r.Path(), r.Body)
	}
}

func onlyMetadata(permissions map[string]string) bool {
	return maps.Equal(permissions, map[string]string{"metadata": "read"})
}

// within reports whether permissions are no more than what is granted.
func within(permissions map[string]string) bool {
	for name, level := range permissions {
		if granted[name] != level && level != "read" || granted[name] == "" {
			return false
		}
	}
	return len(permissions) > 0
}

const (
	notTools   = "403 client agent is not granted the repository globex/tools (client.agent.repositories)"
	notRockets = "403 client agent is not granted the repository acme/rockets (client.agent.repositories)"
	notGlobex  = "403 client agent is not granted globex (client.agent.repositories)"
	nobody     = "403 client agent may not make a request that names nobody (client.agent.repositories)"
	unclear    = "403 client agent may not make a request of which it cannot be told whom it is about (client.agent.repositories)"
	byNumber   = "403 client agent may not make a request about somebody of whom only the number is known (client.agent.repositories)"
	unknown    = "403 client agent may not use an operation that GitHub's descriptions do not have: it might be one of \"admin\" (client.agent.deny[1])"
	needsJWT   = "403 client agent has limits, and may not use "
)

// idOf is a node id as GitHub makes them, legacyID one as it did before.
func idOf(prefix string, numbers ...uint16) string {
	packed := []byte{0x90 | byte(len(numbers)+1), 0}
	for _, n := range numbers {
		packed = binary.BigEndian.AppendUint16(append(packed, 0xcd), n)
	}
	return prefix + "_" + base64.RawURLEncoding.EncodeToString(packed)
}

func legacyID(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// graphQL is a request with a body of JSON.
func graphQL(body string) string {
	return "POST /graphql\nContent-Type: application/json\n\n" + body
}

// document is a request for a document.
func document(query string) string { return graphQL(`{"query":` + strconv.Quote(query) + `}`) }

// as returns an HTTP client that says who it is by name and secret.
func (w *world) as(t *testing.T, name, secret string) *http.Client {
	t.Helper()
	client := w.client(t, false)
	transport := client.Transport.(noLeaks).next
	transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: w.addr, User: url.UserPassword(name, secret)})
	return client
}

// outcomeOf sends a request with an Authorization.
func (w *world) outcomeOf(t *testing.T, client *http.Client, authorization, method, target, body string) string {
	t.Helper()
	resp := with(t, client, authorization, method, "https://"+target, body)
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if w.github.Leaks(text) != nil {
		t.Errorf("%s %s: the answer has secrets in it", method, target)
	}
	return outcome(resp, text)
}

// known makes another client, which has no limits, beside agent.
func known(t *testing.T, secrets map[string]string, change func(*policy.Client)) func(*setup) {
	return func(s *setup) {
		attacker := agent(t)
		attacker.Networks, attacker.Secret = nil, policy.HashSecret(secrets["agent"])
		if change != nil {
			change(attacker)
		}
		s.options.Clients = clients(t, attacker, &policy.Client{Name: "other", Secret: policy.HashSecret(secrets["other"])})
	}
}

var secrets = map[string]string{"agent": "AGENTSSECRETAGENTSSECRET00", "other": "OTHERSSECRETOTHERSSECRET00"}

// interceptedAs is intercepted for a client that says who it is.
func (w *world) interceptedAs(t *testing.T, name, host string) net.Conn {
	t.Helper()
	conn := w.dial(t)
	fmt.Fprintf(conn, "CONNECT %s:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic %s\r\n\r\n", host, base64.StdEncoding.EncodeToString([]byte(name+":"+secrets[name])))
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"})
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("CONNECT %s: %v, %v", host, resp, err)
	}
	return tls.Client(conn, &tls.Config{RootCAs: w.roots, ServerName: host})
}
