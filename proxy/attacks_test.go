package proxy_test

import (
	"bufio"
	"bytes"
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
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ghapp-proxy/githubtest"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
	"ghapp-proxy/rules"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// The client agent is compromised: whoever has it sends what they like. It is
// granted one repository, three permissions and the branches below agent/; the
// Apps behind the proxy could do much more. Each line of these tests is an
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
		if len(r.Header["Authorization"]) != 1 || r.Header["Proxy-Authorization"] != nil || strings.Contains(r.Path(), "rockets") || strings.Contains(r.Path(), "globex") {
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
		IDs         []int64           `json:"repository_ids"`
		Permissions map[string]string `json:"permissions"`
	}
	switch {
	case r.Scope != nil:
		if !onlyMetadata(r.Scope.Permissions) {
			t.Errorf("%.300q: the proxy asked %v with a token for %+v", what, r, r.Scope)
		}
	case r.Method == "GET" && r.Credential == githubtest.CredentialJWT:
	case r.Method != "POST" || !strings.HasSuffix(r.Path(), "/access_tokens"):
		t.Errorf("%.300q: the proxy asked %v", what, r)
	case json.Unmarshal(r.Body, &asked) != nil:
		t.Errorf("%.300q: a token was asked for with %q", what, r.Body)
	case onlyMetadata(asked.Permissions):
	case r.Path() != fmt.Sprintf(mintPath, githubtest.AcmeInstallation) || !slices.Equal(asked.IDs, []int64{githubtest.WidgetsID}) || !within(asked.Permissions):
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

func TestAttackOtherNames(t *testing.T) {
	w := compromise(t, nil)
	w.attempts(t, []attack{
		{request: "GET /repos/acme/rockets", want: notRockets},
		{request: "GET /repos/globex/tools", want: notTools},
		{request: "GET /repos/GLOBEX/Tools/contents/README.md", want: "403 client agent is not granted the repository GLOBEX/Tools"},
		{request: "GET /repos/initech/paper/issues", want: "403 client agent is not granted the repository initech/paper"},
		{request: "GET /repos/nobody/nothing", want: "403 client agent is not granted the repository nobody/nothing"},
		{request: "GET /repos/octocat/hello-world", want: "403 client agent is not granted the repository octocat/hello-world"},
		{request: "PUT /repos/acme/rockets/contents/x\n\n{}", want: notRockets},
		{request: "GET /orgs/globex/repos", want: notGlobex},
		{request: "GET /users/globex/repos", want: notGlobex},
		{request: "GET /users/globex", want: notGlobex},
		{request: "GET /networks/globex/tools/events", want: notTools},
		{request: "GET /enterprises/acme/audit-log", want: "403 client agent may not use \"enterprise-admin/get-audit-log\", which \"admin\" denies"},
		{request: "GET /orgs/acme/members", want: "403 client agent is granted repositories, and \"orgs/list-members\" is about the account acme as a whole"},
		{request: "GET /user/repos", want: "403 client agent is granted repositories, and \"repos/list-for-authenticated-user\" is about the account acme as a whole"},
		{request: "GET /notifications", want: "403 client agent is granted repositories"},
		{request: "GET /orgs/acme/repos", want: "confined 200"},
		{request: "GET /installation/repositories", want: "confined 200"},

		// Spellings.
		{request: "GET /repos/ACME/Widgets", want: "confined 200"},
		{request: "GET /repos/acme/%77idgets", want: "confined"},
		{request: "GET /repos/acme/%72ockets", want: notRockets},
		{request: "GET /repos/acme/%2572ockets", want: "403 client agent is not granted the repository acme/%72ockets"},
		{request: "GET /repos/acme%2Frockets", want: "400 an escaped slash, backslash or control character in \"acme%2Frockets\""},
		{request: "GET /repos/acme/widgets%2F..%2Frockets", want: "400 a dot segment"},
		{request: "GET /repos/acme/widgets/../rockets", want: "400 a dot segment (\"..\") in the path"},
		{request: "GET /repos/acme/widgets/%2e%2E/rockets", want: "400 a dot segment"},
		{request: "GET /repos/acme/widgets/issues/..%2f..%2f..%2frockets", want: "400 a dot segment"},
		{request: "GET /repos/acme/widgets/.%2e/rockets", want: "400 a dot segment"},
		{request: "GET /repos/acme/widgets/%252e%252e/rockets", want: unknown},
		{request: "GET /repos/acme/widgets;/../rockets", want: "400 a dot segment"},
		{request: "GET /repos/acme/widgets;x=1/issues", want: "403 client agent is not granted the repository acme/widgets;x=1"},
		{request: "GET /repos/acme;x/widgets", want: "403 client agent is not granted the repository acme;x/widgets"},
		{request: "GET /repos/acme/widgets.", want: "403 client agent is not granted the repository acme/widgets."},
		{request: "GET /repos/acme/widgets.git", want: "403 client agent is not granted the repository acme/widgets.git"},
		{request: "GET /repos/acme./widgets", want: "403 client agent is not granted the repository acme./widgets"},
		{request: "GET /repos/acme/rockets/", want: notRockets},
		{request: "GET /repos/acme/widgets%00", want: "400 an escaped slash, backslash or control character"},
		{request: "GET /repos/acme/widgets%00/../rockets", want: "400 a dot segment"},
		{request: "GET /repos/acme/widgets%20", want: "403 client agent is not granted the repository acme/widgets "},
		{request: "GET /repos/acme/widgets%0d%0aAuthorization:x", want: "400 an escaped slash, backslash or control character"},
		{request: "GET /repos/acme/widget\u017f", want: "403 client agent is not granted the repository acme/widget\u017f"},
		{request: "GET /repos/acme/widget%C5%BF", want: "403 client agent is not granted the repository acme/widget\u017f"},
		{request: "GET /repos/acme/wi\uff44gets", want: "403 client agent is not granted the repository"},
		{request: "GET /repos//acme/rockets", want: "400 an empty segment"},
		{request: "GET //repos/acme/rockets", want: "400 an empty segment"},
		{request: "GET /repos/acme//rockets", want: "400 an empty segment"},
		{request: "GET /repos\\acme\\rockets", want: "400 a backslash in the path"},
		{request: "GET /repos/acme/widgets#/../rockets", want: "400 a fragment in the request target"},
		{request: "GET /REPOS/acme/rockets", want: "403 client agent"},
		{request: "GET /%72epos/acme/rockets", want: "403 client agent"},
		{request: "GET /api/v3/repos/acme/rockets", want: unknown},
		{request: "GET repos/acme/rockets", want: "400"},
		{request: "GET ?/repos/acme/rockets", want: "400"},
		{request: "GET /repos/acme/widgets?/../../globex/tools", want: "confined"},
		{request: "GET /repos/acme/widgets/hooks", want: "403 client agent may not use \"repos/list-webhooks\", which \"admin\" denies (client.agent.deny[1])"},
		{request: "GET /repos/acme/widgets//hooks", want: "403 client agent may not use \"repos/list-webhooks\", which \"admin\" denies"},
		{request: "GET /repos/acme/widgets/hooks.json", want: "403 client agent may not use \"repos/list-webhooks\", which \"admin\" denies"},
		{request: "GET /repos/acme/widgets/%2568ooks", want: "403 client agent may not use \"repos/list-webhooks\", which \"admin\" denies"},
		{request: "GET /repos/acme/widgets/new-thing", want: unknown},
	})
}

func TestAttackNumbers(t *testing.T) {
	w := compromise(t, nil)
	w.attempts(t, []attack{
		{request: "GET /repositories/9002", want: byNumber, asks: true},
		{request: "GET /repositories/9003", want: byNumber, asks: true},
		{request: "GET /repositories/9003/issues", want: byNumber, asks: true},
		{request: "GET /repositories/%39003", want: byNumber, asks: true},
		{request: "GET /repositories/9005", want: byNumber, asks: true},
		{request: "GET /repositories/77777", want: byNumber, asks: true},
		{request: "GET /repositories/09003", want: "403 client agent"},
		{request: "GET /repositories/9003;x", want: "403 client agent"},
		{request: "GET /repositories/9003.0", want: "403 client agent"},
		{request: "GET /repositories/9223372036854784811", want: "403 client agent"},
		{request: "GET /organizations/5002/repos", want: "403 client agent", asks: true},
		{request: "GET /organizations/5002/members", want: "403 client agent", asks: true},
		{request: "GET /user/5002/repos", want: "403 client agent", asks: true},
		{request: "GET /user/5002", want: "403 client agent", asks: true},
		{request: "GET /teams/1/repos", want: "403 client agent"},
		{request: "PUT /repositories/9001/contents/x\n\n{}", want: "403 client agent may not use \"repos/create-or-update-file-contents\": it moves refs", asks: true},
		{request: "GET /repositories/9001/hooks", want: "403 client agent may not use", asks: true},
		{request: "GET /repositories/9001/issues", want: "confined 200", asks: true},
	})
}

// A client follows the redirect of a repository that has moved.
func TestAttackMovedRepository(t *testing.T) {
	w := compromise(t, nil)
	for _, to := range [][2]string{{"acme", "gears"}, {"globex", "gears"}} {
		if err := w.github.Rename("acme", "rockets", to[0], to[1]); err != nil {
			t.Fatal(err)
		}
		w.attempts(t, []attack{
			{request: "GET /repos/acme/rockets", want: notRockets},
			{request: "GET /repositories/9002", want: "403 client agent", asks: true},
			{request: "GET /repos/" + to[0] + "/" + to[1], want: "403 client agent is not granted the repository " + to[0] + "/gears"},
		})
		if err := w.github.Rename(to[0], to[1], "acme", "rockets"); err != nil {
			t.Fatal(err)
		}
	}
	// What is granted has left: its former name leads to what is not.
	if err := w.github.Rename("acme", "widgets", "globex", "gadgets"); err != nil {
		t.Fatal(err)
	}
	w.attempts(t, []attack{
		{request: "GET /repositories/9001", want: byNumber, asks: true},
		{request: "GET /repos/globex/gadgets", want: "403 client agent is not granted the repository globex/gadgets"},
	})
}

func TestAttackSearch(t *testing.T) {
	w := compromise(t, nil)
	w.attempts(t, []attack{
		{request: "GET /search/code?q=x+repo:globex/tools", want: notTools},
		{request: "GET /search/code?q=x+org:globex", want: notGlobex},
		{request: "GET /search/code?q=x+user:globex", want: notGlobex},
		{request: "GET /search/code?q=x+repo:acme/widgets+repo:globex/tools", want: notTools},
		{request: "GET /search/code?q=x+repo:acme/widgets+OR+repo:globex/tools", want: notTools},
		{request: "GET /search/code?q=x+REPO:globex/tools", want: notTools},
		{request: "GET /search/code?q=x+%72epo%3Aglobex%2Ftools", want: notTools},
		{request: "GET /search/code?%71=x+repo:globex/tools", want: notTools},
		{request: "GET /search/code?q=x+repo:%22globex/tools%22", want: notTools},
		{request: "GET /search/code?q=x%09repo:globex/tools", want: notTools},
		{request: "GET /search/code?q=(repo:globex/tools)", want: notTools},
		{request: "GET /search/code?q=repo:acme/widgets&q=repo:globex/tools", want: unclear},
		{request: "GET /search/code?q=repo:acme/widgets&%71=repo:globex/tools", want: unclear},
		{request: "GET /search/code?q=" + strings.Repeat("a", 9000) + "+repo:globex/tools", want: unclear},
		{request: "GET /search/repositories?q=org:globex", want: notGlobex},
		{request: "GET /search/users?q=globex", want: "403 client agent is granted repositories, and \"search/users\" is about the account acme as a whole"},
		// What hides a qualifier from the proxy does not widen the token.
		{request: "GET /search/code?q=x+NOT+-repo:globex/tools", want: "confined"},
		{request: "GET /search/code?q=x+%22repo:globex/tools%22", want: "confined"},
		{request: "GET /search/code?q=x+%22+repo:globex/tools", want: "confined"},
		{request: "GET /search/code?q=x+repo%00:globex/tools", want: "confined"},
		{request: "GET /search/code?Q=x+repo:globex/tools", want: "confined"},
		{request: "GET /search/code?q%5B%5D=repo:globex/tools", want: "confined"},
		{request: "GET /search/code?x;q=repo:globex/tools", want: "confined"},
	})
}

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

func TestAttackGraphQL(t *testing.T) {
	w := compromise(t, nil)
	const (
		form  = "403 client agent has limits, and may not make a GraphQL request that is not application/json in UTF-8"
		tools = `repository(owner:"globex",name:"tools"){id}`
		fine  = `repository(owner:"acme",name:"widgets"){id}`
	)
	node := func(id string) string { return document(`{node(id:"` + id + `"){id}}`) }
	comment := func(id string) string {
		return document(`mutation{addComment(input:{subjectId:"` + id + `",body:"x"}){clientMutationId}}`)
	}
	w.attempts(t, []attack{
		{request: document("{" + tools + "}"), want: notTools},
		{request: document("{a:" + fine + " b:" + tools + "}"), want: notTools},
		{request: document("{a:" + fine + ` repository:organization(login:"globex"){id}}`), want: notGlobex},
		{request: document("query($o:String!){repository(owner:$o,name:\"tools\"){id}}"), want: "confined"},
		{request: graphQL(`{"query":"query($o:String!){repository(owner:$o,name:\"tools\"){id}}","variables":{"o":"globex"}}`), want: notTools},
		{request: document(`query($o:String="globex"){repository(owner:$o,name:"tools"){id}}`), want: notTools},
		{request: document("{...F} fragment F on Query{...G} fragment G on Query{" + tools + "}"), want: notTools},
		{request: document("{...on Query{" + tools + "}}"), want: notTools},
		{request: document("{" + fine + " repository(owner:\"globex\",name:\"tools\")@skip(if:true){id}}"), want: notTools},
		{request: document(`{organization(login:"globex"){repositories(first:9){nodes{name}}}}`), want: notGlobex},
		{request: document(`{organization(login:"acme"){repository(name:"rockets"){id}}}`), want: notRockets},
		{request: document(`{repositoryOwner(login:"globex"){id}}`), want: notGlobex},
		{request: document(`{user(login:"globex"){repositories(first:1){nodes{name}}}}`), want: notGlobex},
		{request: document(`{enterprise(slug:"globex"){id}}`), want: notGlobex},
		{request: document(`{resource(url:"https://github.com/globex/tools"){url}}`), want: notTools},
		{request: document(`{resource(url:"https://github.com/acme/widgets/../../globex/tools"){url}}`), want: "confined"},
		{request: document(`{search(query:"org:globex",type:REPOSITORY,first:9){repositoryCount}}`), want: notGlobex},
		{request: document(`{search(query:"repo:globex/tools x",type:ISSUE,first:9){issueCount}}`), want: notTools},
		{request: document(`{\u0072epository(owner:"globex",name:"tools"){id}}`), want: unclear},
		{request: document(`{repository(owner:"gl\u006fbex",name:"tools"){id}}`), want: notTools},
		{request: document(`{repository(owner:"""globex""",name:"tools"){id}}`), want: notTools},
		{request: document("{repository(owner:\"globex\n\",name:\"tools\"){id}}"), want: unclear},

		// Ids.
		{request: node(idOf("R", 9003)), want: byNumber, asks: true},
		{request: node(idOf("I", 9003, 300)), want: byNumber, asks: true},
		{request: node(legacyID("010:Repository9002")), want: byNumber, asks: true},
		{request: node(legacyID("06:Commit9003:" + oldID)), want: byNumber, asks: true},
		{request: node(idOf("R", 54321)), want: byNumber, asks: true},
		{request: node(idOf("O", 5002)), want: "403 client agent", asks: true},
		{request: node(legacyID("05:Issue12345")), want: unclear},
		{request: node(idOf("XYZ", 9003)), want: unclear},
		{request: node("U_kgDO_not_an_id"), want: unclear},
		{request: node(idOf("R", 9003) + "="), want: unclear},
		{request: node(strings.Replace(idOf("R", 9003), "R_", "R_ ", 1)), want: unclear},
		{request: document(`{a:node(id:"` + idOf("R", 9001) + `"){id} b:node(id:"` + idOf("R", 9003) + `"){id}}`), want: byNumber, asks: true},
		{request: document(`{nodes(ids:["` + idOf("R", 9001) + `","` + idOf("R", 9003) + `"]){id}}`), want: byNumber, asks: true},
		{request: graphQL(`{"query":"query($x:[ID!]!){nodes(ids:$x){id}}","variables":{"x":["` + idOf("R", 9003) + `"]}}`), want: byNumber, asks: true},
		{request: comment(idOf("I", 9003, 300)), want: byNumber, asks: true},
		{request: comment(legacyID("05:Issue300")), want: unclear},
		{request: graphQL(`{"query":"mutation($i:AddCommentInput!){addComment(input:$i){clientMutationId}}","variables":{"i":{"subjectId":"` + idOf("I", 9003, 300) + `","body":"x"}}}`), want: byNumber, asks: true},
		{request: document(`mutation{transferIssue(input:{issueId:"` + idOf("I", 9001, 300) + `",repositoryId:"` + idOf("R", 9003) + `"}){clientMutationId}}`), want: byNumber, asks: true},
		{request: document(`mutation{createIssue(input:{repositoryId:"` + idOf("R", 9003) + `",title:"x"}){clientMutationId}}`), want: byNumber, asks: true},

		// Operations.
		{request: graphQL(`{"query":"query A{` + strings.ReplaceAll(fine, `"`, `\"`) + `} query B{` + strings.ReplaceAll(tools, `"`, `\"`) + `}","operationName":"B"}`), want: notTools},
		{request: document("query A{" + fine + "} query B{" + tools + "}"), want: unclear},
		{request: document("query A{" + fine + "} query A{" + tools + "}"), want: unclear},
		{request: document("{" + fine + "} {" + tools + "}"), want: unclear},
		{request: document("subscription{" + tools + "}"), want: unclear},
		{request: graphQL(`[{"query":"{viewer{login}}"},{"query":"{viewer{login}}"}]`), want: unclear},
		{request: document(`mutation{createIssue(input:{title:"x"}){clientMutationId}}`), want: "403 client agent is granted repositories, and \"graphql\" is about the account acme as a whole"},
		{request: document("{" + `repository(owner:"acme",name:"widgets"){tempCloneToken}}`), want: "403 client agent has limits, and may not select tempCloneToken, which is a credential"},
		{request: document("{" + `repository(owner:"acme",name:"widgets"){x:tempCloneToken}}`), want: "403 client agent has limits, and may not select tempCloneToken"},
		{request: document("{" + `repository(owner:"acme",name:"widgets"){...F}} fragment F on Repository{tempCloneToken}`), want: "403 client agent has limits, and may not select tempCloneToken"},
		{request: document("{" + strings.Repeat("a{", 150) + "b" + strings.Repeat("}", 150) + "}"), want: unclear},
		{request: document("{...A} fragment A on Query{...B} fragment B on Query{...A}"), want: unclear},
		{request: document("{viewer{login}}"), want: "confined"},

		// Bodies and their forms.
		{request: "GET /graphql?query={viewer{login}}", want: "403 client agent has limits, and may not make a GraphQL request that is not a POST"},
		{request: "PUT /graphql\nContent-Type: application/json\n\n{}", want: "403 client agent has limits, and may not make a GraphQL request that is not a POST"},
		{request: "POST /graphql?query={" + strings.ReplaceAll(tools, `"`, "%22") + "}\nContent-Type: application/json\n\n{\"query\":\"{viewer{login}}\"}", want: "403 client agent has limits, and may not make a GraphQL request that has a query string"},
		{request: "POST /graphql\nContent-Type: application/x-www-form-urlencoded\n\nquery={viewer{login}}", want: form},
		{request: "POST /graphql\n\n{\"query\":\"{viewer{login}}\"}", want: form},
		{request: "POST /graphql\nContent-Type: application/json\nContent-Type: text/plain\n\n{\"query\":\"{viewer{login}}\"}", want: form},
		{request: "POST /graphql\nContent-Type: application/json; charset=utf-16\n\n{\"query\":\"{viewer{login}}\"}", want: form},
		{request: "POST /graphql\nContent-Type: multipart/form-data; boundary=x\n\n--x--", want: form},
		{request: "POST /graphql\nContent-Type: application/json\nContent-Encoding: gzip\n\n" + zip(t, `{"query":"{viewer{login}}"}`), want: "403 client agent has limits, and may not make a GraphQL request that is compressed"},
		{request: "POST /graphql\nContent-Type: application/json\nContent-Encoding: identity\n\n{\"query\":\"{viewer{login}}\"}", want: "403 client agent has limits, and may not make a GraphQL request that is compressed"},
		{request: graphQL(`{"query":"{viewer{login}}","query":"{x}"}`), want: unclear},
		{request: graphQL(`{"query":"{viewer{login}}","Query":"{x}"}`), want: unclear},
		{request: graphQL(`{"query":"{viewer{login}}","variables":{"o":"a","o":"b"}}`), want: unclear},
		{request: graphQL("\ufeff" + `{"query":"{viewer{login}}"}`), want: unclear},
		{request: graphQL(`{"query":"{viewer{login}}"} {"query":"{x}"}`), want: unclear},
		{request: graphQL("{\"query\":\"{viewer{login}}\xff\"}"), want: unclear},
		{request: graphQL(`{"query":"{viewer{login}}","id":"1"}`), want: unclear},
		{request: graphQL(`{"documentId":"sha256:0"}`), want: unclear},
		{what: "over 1 MiB", request: graphQL(`{"query":"{viewer{login}}` + strings.Repeat(" ", 1<<20) + `"}`), want: unclear},
		{request: "POST /GraphQL\nContent-Type: application/json\n\n{\"query\":\"{" + strings.ReplaceAll(tools, `"`, `\"`) + "}\"}", want: notTools},
		{request: "POST /graphql/\nContent-Type: application/json\n\n{\"query\":\"{" + strings.ReplaceAll(tools, `"`, `\"`) + "}\"}", want: notTools},
		{request: "POST /graphql/x\nContent-Type: application/json\n\n{\"query\":\"{" + strings.ReplaceAll(tools, `"`, `\"`) + "}\"}", want: notTools},
		{request: "POST /api/graphql\nContent-Type: application/json\n\n{}", want: unknown},
		{request: "POST /graphql;x\nContent-Type: application/json\n\n{}", want: unclear},
		{request: "POST /graphql.json\nContent-Type: application/json\n\n{}", want: unclear},
		{request: "POST /%67raphql\nContent-Type: application/json\n\n{\"query\":\"{" + strings.ReplaceAll(tools, `"`, `\"`) + "}\"}", want: notTools},
		{what: "a type that does not arrive", request: "POST /graphql\nContent-Type: application/json\nConnection: Content-Type\n\n{\"query\":\"# &query=mutation{x}\\n{viewer{login}}\"}", want: "400 Connection must not name Content-Type"},
		{what: "a type in another spelling", request: "POST /graphql\nContent-Type: application/json\nContent_Type: application/x-www-form-urlencoded\n\n{\"query\":\"{viewer{login}}\"}", want: "400 the field Content_type can be taken for Content-Type"},
		{what: "a coding in another spelling", request: "POST /graphql\nContent-Type: application/json\nContent_Encoding: gzip\n\n{\"query\":\"{viewer{login}}\"}", want: "400 the field Content_encoding can be taken for Content-Encoding"},
	})
}

func TestAttackCredentials(t *testing.T) {
	w := compromise(t, func(_ *setup, agent *policy.Client) { agent.Deny = nil }) // "admin" would have refused many before
	const handsOut = "403 this operation hands out a credential, and tools behind the proxy never hold one"
	w.attempts(t, []attack{
		{request: "POST /app/installations/111/access_tokens", want: handsOut},
		{request: "POST /app/installations/222/access_tokens\n\n{}", want: handsOut},
		{request: "POST /app/installations/222//access_tokens", want: handsOut},
		{request: "POST /app/installations/222/access%5Ftokens/", want: handsOut},
		{request: "POST /app/installations/222/access_tokens;x", want: handsOut},
		{request: "POST /app/installations/222/access_tokens.json", want: handsOut},
		{request: "POST /repos/acme/widgets/actions/runners/registration-token", want: handsOut},
		{request: "POST /repos/acme/widgets/actions/runners/remove-token", want: handsOut},
		{request: "POST /orgs/acme/actions/runners/registration-token", want: handsOut},
		{request: "POST /repos/acme/widgets/actions/runners/generate-jitconfig\n\n{}", want: handsOut},
		{request: "POST /app-manifests/x/conversions", want: handsOut},
		{request: "POST /applications/Iv23liCIBOTCIBOTCIBO/token\n\n{}", want: handsOut},
		{request: "POST /applications/Iv23liCIBOTCIBOTCIBO/token/scoped\n\n{}", want: handsOut},
		{request: "DELETE /applications/Iv23liCIBOTCIBOTCIBO/grant\n\n{}", want: needsJWT},
		{request: "GET /app", want: needsJWT + "\"apps/get-authenticated\": it takes the App's own token, which cannot be limited (client.agent.jwt)"},
		{request: "GET /app/", want: needsJWT},
		{request: "GET /App", want: needsJWT},
		{request: "GET /%61pp/installations", want: needsJWT},
		{request: "GET /app/installations/222", want: needsJWT},
		{request: "GET /repos/acme/widgets/installation", want: needsJWT},
		{request: "GET /users/acme/installation", want: needsJWT},
		{request: "GET /orgs/globex/installation", want: needsJWT},
		{request: "GET /app/hook/config", want: "403 client agent"},
		{request: "PATCH /app/hook/config\n\n{}", want: "403 this route is authenticated as the App itself, and such routes are read-only"},
		{request: "DELETE /app/installations/111", want: "403 this route is authenticated as the App itself"},
		{request: "DELETE /installation/token", want: "204 this would revoke the installation token that the proxy shares"},
		{request: "DELETE /installation//token", want: "400 an empty segment"},
		{request: "DELETE /installation/token%2F", want: "400 an escaped slash"},
		{request: "TRACE /repos/acme/widgets", want: "403 TRACE would echo the credential back"},
	})
	// Whatever the client sends as its own, the proxy's own leaves.
	for _, authorization := range []string{
		"Bearer ghs_anything", "Basic eDp5", "Bearer " + strings.TrimPrefix(programJWT("12345"), "bearer "), "Bearer ghs_placeholder000000000000000000000000",
	} {
		w.attempt(t, attack{request: "GET /repos/acme/rockets\nAuthorization: " + authorization, want: notRockets})
		w.attempt(t, attack{request: "GET /repos/acme/widgets\nAuthorization: " + authorization, want: "confined 200"})
	}
}

// operationPaths are GitHub's REST operations, each as a request to acme/widgets.
func operationPaths(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../rules/operations.txt")
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("{owner}/{repo}", "acme/widgets", "{ref...}", "heads/main", "{ref}", "heads/main", "{template_owner}/{template_repo}", "acme/widgets", "{org}", "acme")
	rest := regexp.MustCompile(`{[^}]*}`)
	paths := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 2 && f[0] != "#" && paths[f[2]] == "" {
			paths[f[2]] = f[0] + " " + rest.ReplaceAllString(fill.Replace(f[1]), "1")
		}
	}
	return paths
}

// Every operation that moves a ref, but for what the path names.
func TestAttackRefsByREST(t *testing.T) {
	w := start(t, func(s *setup) { // without the other limits, which would have refused many before
		s.options.Clients = clients(t, &policy.Client{Name: "agent", Networks: loopback, Push: agent(t).Push})
	})
	text, err := os.ReadFile("../policy/refmoves.go")
	if err != nil {
		t.Fatal(err)
	}
	paths := operationPaths(t)
	for _, m := range regexp.MustCompile(`(?m)^\t"([a-z-]+/[a-z-]+)": +elsewhere,`).FindAllStringSubmatch(string(text), -1) {
		path := paths[m[1]]
		if path == "" {
			t.Errorf("GitHub has no operation %s", m[1])
		}
		w.attempt(t, attack{what: m[1], request: path + "\n\n{}", want: fmt.Sprintf("403 client agent may not use %q: it moves refs that cannot be told from the path (client.agent.push)", m[1])})
	}
}

func TestAttackRefs(t *testing.T) {
	w := compromise(t, nil)
	const (
		toMain    = `403 client agent may not push to "refs/heads/main" (client.agent.push)`
		notTold   = "it moves refs that cannot be told from the path (client.agent.push)"
		ambiguous = `403 client agent may not use "git/update-ref": the ref in the path is spelled ambiguously`
	)
	const refs = "/repos/acme/widgets/git/refs/"
	w.attempts(t, []attack{
		{request: "PATCH " + refs + "heads/main\n\n{}", want: toMain},
		{request: "POST " + refs + "heads/main\n\n{}", want: toMain},
		{request: "PATCH " + refs + "heads/agent%2F..%2Fmain\n\n{}", want: "400 a dot segment"},
		{request: "PATCH " + refs + "heads/agent/../main\n\n{}", want: "400 a dot segment"},
		{request: "PATCH " + refs + "heads%2Fmain\n\n{}", want: toMain},
		{request: "PATCH " + refs + "heads//agent/x\n\n{}", want: ambiguous},
		{request: "PATCH " + refs + "refs/heads/agent/x\n\n{}", want: ambiguous},
		{request: "PATCH " + refs + "heads/agent/x;/../main\n\n{}", want: "400 a dot segment"},
		{request: "PATCH " + refs + "heads/agent/x%00\n\n{}", want: ambiguous},
		{request: "PATCH " + refs + "heads/agent/x.json\n\n{}", want: ambiguous},
		{request: "PATCH " + refs + "heads/agent/x%250a\n\n{}", want: ambiguous},
		{request: "PATCH " + refs + "heads/agent\n\n{}", want: `403 client agent may not push to "refs/heads/agent"`},
		{request: "PATCH " + refs + "heads/Agent/x\n\n{}", want: `403 client agent may not push to "refs/heads/Agent/x"`},
		{request: "PATCH " + refs + "tags/v1\n\n{}", want: `403 client agent may not push to "refs/tags/v1"`},
		{request: "PATCH " + refs + "heads/agent/x\n\n{}", want: "confined"},
		{request: "DELETE " + refs + "heads/agent/x", want: `403 client agent may not delete "refs/heads/agent/x" (client.agent.delete_refs)`},
		{request: "DELETE " + refs + "heads/main", want: `403 client agent may not delete "refs/heads/main"`},
		{request: "POST " + refs + "heads/agent/x\nX-HTTP-Method-Override: DELETE\n\n{}", want: "400 the field X-Http-Method-Override asks for another method than the request's"},
		{request: "POST " + refs + "heads/agent/x\nX_HTTP_Method_Override: DELETE\n\n{}", want: "400 the field X_http_method_override can be taken for X-Http-Method-Override"},
		{request: "POST " + refs + "heads/agent/x\nX-HTTP_Method-Override: DELETE\n\n{}", want: "400 the field X-Http_method-Override can be taken for X-Http-Method-Override"},
		{request: "PATCH /repositories/9001/git/refs/heads/main\n\n{}", want: toMain, asks: true},
		{request: "POST /repos/acme/widgets/git/refs\n\n{\"ref\":\"refs/heads/agent/x\"}", want: `403 client agent may not use "git/create-ref": ` + notTold},
		{request: "PUT /repos/acme/widgets/contents/README.md\n\n{\"branch\":\"agent/x\"}", want: `403 client agent may not use "repos/create-or-update-file-contents": ` + notTold},
		{request: "DELETE /repos/acme/widgets/contents/README.md\n\n{}", want: `403 client agent may not use "repos/delete-file": ` + notTold},
		{request: "PUT /repos/acme/widgets/pulls/36/merge\n\n{}", want: `403 client agent may not use "pulls/merge": ` + notTold},
		{request: "PUT /repos/acme/widgets/pulls/36/%6derge\n\n{}", want: `403 client agent may not use "pulls/merge": ` + notTold},
		{request: "POST /repos/acme/widgets/merges\n\n{}", want: `403 client agent may not use "repos/merge": ` + notTold},
		{request: "POST /repos/acme/widgets/releases\n\n{}", want: `403 client agent may not use "repos/create-release": ` + notTold},
		{request: "POST /repos/acme/widgets/a-new-way-to-merge\n\n{}", want: unknown},
	})
	id := idOf("PR", 9001, 300)
	for _, mutation := range []string{
		"createRef", "updateRef", "updateRefs", "deleteRef", "createCommitOnBranch", "createLinkedBranch", "mergeBranch", "mergePullRequest",
		"enablePullRequestAutoMerge", "enqueuePullRequest", "revertPullRequest", "updatePullRequestBranch", "createDeployment", "startRepositoryMigration",
		"cloneTemplateRepository", "addANewMergeToIt",
	} {
		w.attempt(t, attack{request: document("mutation{x:" + mutation + `(input:{pullRequestId:"` + id + `"}){clientMutationId}}`), want: "403 client agent may not", asks: true})
		w.attempt(t, attack{request: document("mutation{...F} fragment F on Mutation{" + mutation + `(input:{pullRequestId:"` + id + `"}){clientMutationId}}`), want: "403 client agent may not", asks: true})
	}
	w.attempt(t, attack{request: document(`mutation{addComment(input:{subjectId:"` + id + `"}){clientMutationId} mergePullRequest(input:{pullRequestId:"` + id + `"}){clientMutationId}}`), want: `403 client agent may not run the mutation "mergePullRequest": it may move refs that the request does not name (client.agent.push)`, asks: true})
}

// commands is the command list of a push.
func commands(capabilities string, updates ...string) string {
	var text string
	for i, update := range updates {
		if i == 0 {
			update += "\x00" + capabilities
		}
		text += fmt.Sprintf("%04x%s", 4+len(update), update)
	}
	return text + "0000"
}

// chunked is a body in these chunks.
func chunked(chunks ...string) string {
	var text string
	for _, c := range append(chunks, "") {
		text += fmt.Sprintf("%x\r\n%s\r\n", len(c), c)
	}
	return text
}

func TestAttackPush(t *testing.T) {
	w := compromise(t, nil)
	const (
		zero   = "0000000000000000000000000000000000000000"
		update = oldID + " " + newID + " "
		fine   = update + "refs/heads/agent/a"
		bad    = update + "refs/heads/main"
		unread = "read the command list of a push: "
		toMain = `push to "refs/heads/main" refused: client agent may not push to "refs/heads/main" (client.agent.push)`
	)
	push := func(body string, fields ...string) string {
		return "POST /acme/widgets.git/git-receive-pack\nContent-Type: application/x-git-receive-pack-request" + strings.Join(append([]string{""}, fields...), "\n") + "\n\n" + body
	}
	at := func(path string) string { return "POST " + path + "\n\n" + commands("", bad) }
	var attacks []attack
	for _, a := range []attack{
		{request: push(commands("", bad)), want: "403 " + toMain},
		{request: push(commands("report-status", bad)), want: "200 " + toMain},
		{request: push(commands("report-status side-band-64k", fine, fine+"b", bad)), want: "200 " + toMain},
		{request: push(commands("atomic", fine, bad)), want: "403 " + toMain},
		{request: push(commands("push-options", bad) + "000bci.skip0000"), want: "403 " + toMain},
		{request: push(commands("", oldID+" "+zero+" refs/heads/agent/a")), want: `403 push to "refs/heads/agent/a" refused: client agent may not delete "refs/heads/agent/a" (client.agent.delete_refs)`},
		{request: push(commands("", zero+" "+newID+" refs/tags/v9")), want: `403 push to "refs/tags/v9" refused: client agent may not push to "refs/tags/v9"`},
		{request: push(commands("", update+"refs/heads/agent")), want: "403 push to"},
		{request: push(commands("", update+"refs/heads/agent/../main")), want: "400 " + unread},
		{request: push(commands("", update+"refs/heads/agent//main")), want: "4"},
		{request: push(commands("", update+"HEAD")), want: "400 " + unread},
		{request: push(commands("", update+"refs/heads/main ")), want: "400 " + unread},
		{request: push(commands("", update+"refs/heads/agent/a\x00refs/heads/main")), want: "400 " + unread},
		{request: push(commands("", fine+"\n"+bad)), want: "400 " + unread},
		{request: push(commands("", update+"refs/pull/1/head")), want: "403 push to"},
		{request: push(commands("", update+"refs/heads/main^{}")), want: "400 " + unread},
		{request: push(commands("", strings.Repeat("0", 64)+" "+strings.Repeat("2", 64)+" refs/heads/main")), want: "4"},
		{request: push(commands("object-format=sha256", strings.Repeat("0", 64)+" "+strings.Repeat("2", 64)+" refs/heads/main")), want: "403 " + toMain},
		{request: push(strings.TrimSuffix(commands("", fine), "0000") + "0001" + commands("", bad)), want: "400 " + unread},
		{request: push(strings.TrimSuffix(commands("", fine), "0000") + "0004" + strings.TrimPrefix(commands("", bad), "")), want: "400 " + unread},
		{request: push("0014push-cert x y z00" + commands("", bad)), want: "400 " + unread},
		{request: push(commands("push-cert=x", bad)), want: "4"},
		{request: push("00"), want: "400 " + unread},
		{request: push("0070" + bad), want: "400 " + unread},
		{request: push("+070" + bad), want: "400 " + unread},
		{request: push("FFFF"), want: "400 " + unread},
		{request: push(strings.ToUpper(commands("", bad)[:4]) + commands("", bad)[4:]), want: "403 " + toMain},
		{request: push(zip(t, commands("", bad)), "Content-Encoding: gzip"), want: "403 " + toMain},
		{request: push(zip(t, commands("", bad)), "Content-Encoding: gzip", "Connection: Content-Encoding"), want: "400 Connection must not name Content-Encoding"},
		{request: push(commands("", fine), "Content-Encoding: gzip"), want: "415 decompress a push"},
		{request: push(zip(t, commands("", bad)), "Content-Encoding: gzip, identity"), want: "415 a push with Content-Encoding"},
		{request: push(zip(t, commands("", bad)), "Content-Encoding: br"), want: "415 a push with Content-Encoding"},
		{request: push(zip(t, commands("", bad)), "Content-Encoding: gzip", "Content-Encoding: identity"), want: "415 a push with Content-Encoding"},
		{request: push(zip(t, "")+zip(t, commands("", bad)), "Content-Encoding: gzip"), want: "400 " + unread},
		{request: push(chunked(commands("", bad)), "Transfer-Encoding: chunked"), want: "403 " + toMain},
		{request: push(chunked(strings.Split(commands("", bad), "")...), "Transfer-Encoding: chunked"), want: "403 " + toMain},
		{request: push(commands("", bad), "Git-Protocol: version=2"), want: "403 " + toMain},
		{request: push(commands("", bad), "Expect: 100-continue"), want: "100"},

		// Spellings, and other repositories.
		{request: at("/acme/widgets/git-receive-pack"), want: "403 " + toMain},
		{request: at("/acme/widgets/git-receive-pack/"), want: "403 " + toMain},
		{request: at("/acme/widgets/Git-Receive-Pack"), want: "403 " + toMain},
		{request: at("/acme/widgets/git%2Dreceive-pack"), want: "403 " + toMain},
		{request: at("/acme/widgets/git-receive-pack?x"), want: "403 " + toMain},
		{request: at("/acme/widgets.wiki.git/git-receive-pack"), want: "403 " + toMain},
		{request: at("/acme/widgets/git-receive-pack;x"), want: nobody},
		{request: at("/acme/widgets/git%252Dreceive-pack"), want: nobody},
		{request: at("/acme/widgets//git-receive-pack"), want: nobody},
		{request: at("/acme/widgets/x/../git-receive-pack"), want: "400 a dot segment"},
		{request: at("//acme/widgets/git-receive-pack"), want: "400 an empty segment"},
		{request: at("/acme//widgets/git-receive-pack"), want: "400 an empty segment"},
		{request: at("/acme/widgets.git.git/git-receive-pack"), want: "403 client agent is not granted the repository acme/widgets.git"},
		{request: at("/acme/widgets.GIT/git-receive-pack"), want: "403 client agent is not granted the repository acme/widgets.GIT"},
		{request: at("/acme/rockets.git/git-receive-pack"), want: notRockets},
		{request: at("/globex/tools.git/git-receive-pack"), want: notTools},
		{request: "PUT /acme/widgets/git-receive-pack\n\n" + commands("", bad), want: "403 " + toMain},
		{request: "GET /acme/widgets/git-receive-pack", want: "400 " + unread},
	} {
		a.host = "github.com"
		attacks = append(attacks, a)
	}
	w.attempts(t, attacks)
}

func TestAttackOtherServices(t *testing.T) {
	w := compromise(t, nil)
	const raw, uploads = "raw.githubusercontent.com", "uploads.github.com"
	batch := func(repo, operation string) string {
		return "POST /" + repo + "/info/lfs/objects/batch\n\n" + `{"operation":"` + operation + `","objects":[]}`
	}
	w.attempts(t, []attack{
		{host: "github.com", request: "GET /globex/tools.git/info/refs?service=git-upload-pack", want: notTools},
		{host: "github.com", request: "GET /acme/rockets/info/refs?service=git-upload-pack", want: notRockets},
		{host: "github.com", request: "GET /acme/rockets.wiki.git/info/refs?service=git-upload-pack", want: notRockets},
		{host: "github.com", request: "GET /ACME/ROCKETS.git/info/refs?service=git-receive-pack", want: "403 client agent is not granted the repository ACME/ROCKETS"},
		{host: "github.com", request: "POST /globex/tools/git-upload-pack\n\n0000", want: notTools},
		{host: "github.com", request: "GET /acme/widgets/info/refs?service=git-upload-pack&service=git-receive-pack", want: "confined"},
		{host: "github.com", request: "GET /acme/widgets/info/refs?service=git%2Dreceive-pack", want: "confined"},
		{host: "github.com", request: "GET /acme/widgets/info/refs", want: "confined"},
		{host: "github.com", request: batch("globex/tools", "download"), want: notTools},
		{host: "github.com", request: batch("acme/rockets.git", "upload"), want: notRockets},
		{host: "github.com", request: "POST /acme/rockets/info/lfs/locks\n\n{}", want: notRockets},
		{host: "github.com", request: "GET /acme/rockets/info/lfs/locks", want: notRockets},
		{host: "github.com", request: "GET /acme/rockets/archive/main.zip", want: notRockets},
		{host: "github.com", request: "GET /globex/tools/tarball/main", want: notTools},
		{host: "github.com", request: "GET /globex/tools", want: nobody},
		{host: "github.com", request: "GET /globex/tools/raw/main/README.md", want: nobody},
		{host: "github.com", request: "POST /login/oauth/access_token\n\n{}", want: nobody},
		{host: "github.com", request: "POST /session\n\n{}", want: nobody},
		{host: codeload, request: "GET /globex/tools/zip/main", want: notTools},
		{host: codeload, request: "GET /acme/rockets/legacy.tar.gz/main", want: notRockets},
		{host: codeload, request: "GET /acme/%72ockets/legacy.tar.gz/main", want: notRockets},
		{host: codeload, request: "GET /acme/rockets", want: nobody},
		{host: raw, request: "GET /globex/tools/main/README.md", want: notTools},
		{host: raw, request: "GET /acme/widgets/../rockets/main/README.md", want: "400 a dot segment"},
		{host: raw, request: "GET /acme/widgets/main/..%2f..%2f..%2frockets/main/README.md", want: "400 a dot segment"},
		{host: raw, request: "GET /acme/widgets/main/README.md?token=x", want: "confined"},
		{host: uploads, request: "POST /repos/globex/tools/releases/1/assets?name=x\n\nx", want: notTools},
		{host: uploads, request: "POST /repos/acme/rockets/releases/1/assets?name=x\n\nx", want: notRockets},
		{host: uploads, request: "POST /repositories/9002/releases/1/assets?name=x\n\nx", want: "403 client agent"},
		{host: uploads, request: "POST /graphql\n\n{}", want: "403 client agent"},
		{host: uploads, request: "GET /app", want: "403 client agent"},
	})
}

func TestAttackFields(t *testing.T) {
	w := compromise(t, nil)
	get := "GET /repos/acme/widgets\n"
	raw := func(fields string) string {
		return "GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: a\r\n" + fields + "\r\n"
	}
	const misdirected = "421 the request's "
	w.attempts(t, []attack{
		{request: get + "Connection: Authorization\nAuthorization: Bearer x", want: "confined 200"},
		{request: get + "Connection: close, Authorization\nAuthorization: Bearer x", want: "confined 200"},
		{request: get + "Authorization: Bearer x\nAuthorization: Bearer y", want: "confined 200"},
		{request: get + "authorization: Bearer x", want: "confined 200"},
		{request: get + "Proxy-Authorization: Basic b3RoZXI6c2VjcmV0", want: "confined 200"},
		{request: raw("X: a\r\n Authorization: Bearer x\r\n"), want: "confined 200"}, // obs-fold: part of X
		{request: raw("X: a\nAuthorization: Bearer x\r\n"), want: "confined 200"},
		{request: raw("Authorization : Bearer x\r\n"), want: "400"},
		{request: raw("Authori zation: Bearer x\r\n"), want: "400"},
		{request: raw("Authorization\t: Bearer x\r\n"), want: "400"},
		{request: raw(": x\r\n"), want: "400"},
		{request: raw("no colon\r\n"), want: "400"},
		{request: raw("X: a\x00b\r\n"), want: "400"},
		{request: raw("X\x00Y: a\r\n"), want: "400"},
		{request: raw("X: a\rAuthorization: Bearer x\r\n"), want: "400"},
		{request: "GET /repos/acme/widgets HTTP/1.1\r\n Authorization: Bearer x\r\nHost: api.github.com\r\n\r\n", want: "400"},
		{request: raw("X: " + strings.Repeat("x", 200_000) + "\r\n"), want: "431"},
		{request: get + "Expect: 100-continue", want: "confined"},
		{request: get + "Expect: 200-maybe", want: "417"},

		// Methods.
		{request: "get /repos/acme/widgets", want: "405 the method \"get\" is not served"},
		{request: "Delete /installation/token", want: "405 the method \"Delete\" is not served"},
		{request: "CONNECT api.github.com:443", want: "4"},
		{request: "OPTIONS *", want: "400 the request target must be an absolute path"},
		{request: "PRI *", want: "400 the request target must be an absolute path"},
		{request: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n HTTP/1.1\r\n", want: misdirected + "host"},
		{request: "GET /repos/acme/rockets\nX-HTTP-Method: DELETE", want: "400 the field X-Http-Method asks"},
		{request: get + "Upgrade: websocket\nConnection: Upgrade", want: "501 Upgrade is not supported on served hosts"},
		{request: get + "Upgrade: h2c\nConnection: Upgrade, HTTP2-Settings\nHTTP2-Settings: AAMAAABkAAQAAP__", want: "501 Upgrade is not supported"},
		{request: get + "upgrade: h2c", want: "501 Upgrade is not supported"},

		// Hosts.
		{request: "GET https://api.github.com/repos/acme/rockets", want: notRockets},
		{request: "GET https://x:y@api.github.com/repos/acme/rockets", want: notRockets},
		{request: "GET https://github.com/globex/tools.git/info/refs", want: misdirected + "host is \"github.com\", but the connection is to api.github.com"},
		{request: "GET http://169.254.169.254/", want: misdirected + "host"},
		{request: "GET https://api.github.com.evil.example/", want: misdirected + "host"},
		{request: "GET https://api.github.com@evil.example/", want: misdirected + "host"},
		{request: "GET https:///repos/acme/rockets", want: "4"},
		{request: "GET / HTTP/1.1\r\nHost: evil.example.com\r\n\r\n", want: misdirected + "host is \"evil.example.com\""},
		{request: "GET / HTTP/1.1\r\nHost: api.github.com\r\nHost: evil.example.com\r\n\r\n", want: "400"},
		{request: "GET / HTTP/1.1\r\nHost: api.github.com@evil.example.com\r\n\r\n", want: "4"},
		{request: "GET / HTTP/1.1\r\nHost: api.github.com:8443\r\n\r\n", want: misdirected + "host"},
		{request: "GET / HTTP/1.1\r\nHost: api.github.com evil\r\n\r\n", want: "400"},
		{request: "GET / HTTP/1.1\r\nHost: \uff41pi.github.com\r\n\r\n", want: "4"},
		{request: "GET / HTTP/1.1\r\nHost:\r\n\r\n", want: misdirected + "host"},
		{request: "GET / HTTP/1.1\r\n\r\n", want: "400"},
		{host: "github.com", request: "GET /repos/acme/widgets\nHost: api.github.com", want: "400"},
	})
}

// A second request that hides behind the first is seen by the proxy where it is
// one to anybody. None of the bodies below makes it reach GitHub unseen.
func TestAttackSmuggling(t *testing.T) {
	w := compromise(t, nil)
	const hidden = "GET /repos/acme/rockets HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: a\r\nConnection: close\r\n\r\n"
	for _, test := range []struct{ fields, body, want string }{
		{"Content-Length: 0\r\n", hidden, "404, " + notRockets},
		{"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + hidden, "404"},
		{fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", 5+len(hidden)), "0\r\n\r\n" + hidden, "404"},
		{"Content-Length: 0\r\nContent-Length: " + strconv.Itoa(len(hidden)) + "\r\n", hidden, "400"},
		{"Content-Length: 0, 0\r\n", hidden, "400"},
		{"Content-Length: +0\r\n", hidden, "400"},
		{"Content-Length: 0x0\r\n", hidden, "400"},
		{"Content-Length: -1\r\n", hidden, "400"},
		{"Content-Length : 0\r\n", hidden, "400"},
		{"Content-Length: 0\r\nContent_Length: 9\r\n", hidden, "400 the field Content_length can be taken for Content-Length; leave it out, " + notRockets},
		{"Transfer-Encoding: Chunked\r\n", "0\r\n\r\n" + hidden, "404, " + notRockets},
		{"Transfer-Encoding:\tchunked\r\n", "0\r\n\r\n" + hidden, "404, " + notRockets},
		{"Transfer-Encoding: identity\r\n", "0\r\n\r\n" + hidden, "501"},
		{"Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n" + hidden, "501"},
		{"Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n" + hidden, "501"},
		{"Transfer-Encoding: xchunked\r\n", "0\r\n\r\n" + hidden, "501"},
		{"Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n" + hidden, "4"},
		{"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n" + hidden, "501"},
		{"Transfer_Encoding: chunked\r\nContent-Length: 0\r\n", hidden, "400 the field Transfer_encoding can be taken for Transfer-Encoding; leave it out, " + notRockets},
		{"Transfer-Encoding: chunked\r\n", "2;x=\"\r\n\"\r\n{}\r\n0\r\n\r\n" + hidden, "400 the request's body could not be read: "},
		{"Transfer-Encoding: chunked\r\n", "2;x\r\n{}\r\n0\r\n\r\n" + hidden, "404, " + notRockets},
		{"Transfer-Encoding: chunked\r\n", "2\n{}\n0\n\n" + hidden, "400 the request's body could not be read: "},
		{"Transfer-Encoding: chunked\r\n", "0x2\r\n{}\r\n0\r\n\r\n" + hidden, "400 the request's body could not be read: "},
		{"Transfer-Encoding: chunked\r\n", "fffffffffffffffff2\r\n{}\r\n0\r\n\r\n" + hidden, "400 the request's body could not be read: "},
		{"Transfer-Encoding: chunked\r\n", "-2\r\n{}\r\n0\r\n\r\n" + hidden, "400 the request's body could not be read: "},
		{"Transfer-Encoding: chunked\r\n", "2\r\n{}X\r\n0\r\n\r\n" + hidden, "400 the request's body could not be read: "},
		{"Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\nHost: evil\r\nX-HTTP-Method-Override: DELETE\r\nContent_Type: x\r\n\r\n" + hidden, "404, " + notRockets},
		{"Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n", "2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\n\r\n" + hidden, "404, " + notRockets},
		{"Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n", "2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n" + hidden, "400"},
	} {
		text := "GET /repos/acme/widgets/issues/7777 HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: a\r\n" + test.fields + "\r\n" + test.body
		got := w.answersOf(t, w.intercepted(t, "api.github.com", nil), text)
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%q:\n\tgot  %q\n\twant %q", test.fields+test.body, got, test.want)
		}
		w.arrived(t, test.fields+test.body)
		for _, r := range w.github.Requests() {
			if r.Path() != "/repos/acme/widgets/issues/7777" || r.Method != "GET" {
				t.Errorf("%q: %v arrived", test.fields+test.body, r)
			}
		}
		w.github.Reset()
	}
}

// answersOf sends text and returns all answers, with commas between them.
func (w *world) answersOf(t *testing.T, conn net.Conn, text string) string {
	t.Helper()
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(soon))
	go io.WriteString(conn, text)
	var answers []string
	for r := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return strings.Join(answers, ", ")
		}
		body, _ := io.ReadAll(resp.Body) // one that is cut off has said what it says
		if w.github.Leaks(append(fmt.Append(nil, resp.Header), body...)) != nil {
			t.Errorf("%q: the answer has secrets in it", text)
		}
		answers = append(answers, outcome(resp, body))
	}
}

// attemptHTTP2 sends a request of these fields as they are. Of what HTTP/2 does
// not allow, the connection or the stream ends.
func (w *world) attemptHTTP2(t *testing.T, body, want string, fields ...hpack.HeaderField) {
	t.Helper()
	conn := w.intercepted(t, "api.github.com", &tls.Config{NextProtos: []string{"h2"}})
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(soon))
	framer := openHTTP2(conn)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		encoder.WriteField(f)
	}
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: body == ""})
	if body != "" {
		framer.WriteData(1, true, []byte(body))
	}
	w.compare(t, attack{what: fmt.Sprint(fields), want: want}, streamOutcome(framer))
}

// openHTTP2 begins a connection.
func openHTTP2(conn net.Conn) *http2.Framer {
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.WriteSettings()
	return framer
}

func TestAttackHTTP2(t *testing.T) {
	w := compromise(t, nil)
	type field = hpack.HeaderField
	get, post := field{Name: ":method", Value: "GET"}, field{Name: ":method", Value: "POST"}
	https, api := field{Name: ":scheme", Value: "https"}, field{Name: ":authority", Value: "api.github.com"}
	evil := field{Name: ":authority", Value: "evil.example.com"}
	widgets, rockets := field{Name: ":path", Value: "/repos/acme/widgets"}, field{Name: ":path", Value: "/repos/acme/rockets"}
	agent := field{Name: "user-agent", Value: "attacker"}
	for _, test := range []struct {
		want   string
		fields []field
	}{
		{"403", []field{get, https, api, rockets}},
		{"confined 200", []field{get, https, api, widgets, agent}},
		{"confined 200", []field{get, https, api, widgets, agent, {Name: "authorization", Value: "Bearer x"}, {Name: "authorization", Value: "Bearer y"}}},
		{"confined 200", []field{get, https, api, widgets, agent, {Name: "proxy-authorization", Value: "Basic eA=="}}},
		{"reset", []field{get, https, api, evil, widgets}},
		{"reset", []field{get, https, api, widgets, rockets}},
		{"reset", []field{get, post, https, api, widgets}},
		{"reset", []field{get, https, api, agent, widgets}}, // a pseudo field behind another
		{"421", []field{get, https, evil, widgets}},
		{"421", []field{get, https, api, widgets, {Name: "host", Value: "evil.example.com"}}},
		{"421", []field{get, https, api, widgets, {Name: "host", Value: "api.github.com"}, {Name: "host", Value: "evil.example.com"}}},
		{"421", []field{get, https, widgets, {Name: "host", Value: "evil.example.com"}}},
		{"4", []field{get, https, widgets}},
		{"reset", []field{get, https, {Name: ":authority", Value: "x@api.github.com"}, widgets}},
		{"421", []field{get, https, {Name: ":authority", Value: "api.github.com:8443"}, widgets}},
		{"421", []field{get, https, api, {Name: ":path", Value: "http://evil.example.com/"}}},
		{"403", []field{get, https, api, {Name: ":path", Value: "https://api.github.com/repos/acme/rockets"}}},
		{"400", []field{{Name: ":method", Value: "OPTIONS"}, https, api, {Name: ":path", Value: "*"}}},
		{"reset", []field{get, https, api, {Name: ":path", Value: "/repos/acme/widgets\r\nAuthorization: x"}}},
		{"4", []field{get, https, api, {Name: ":path", Value: "/repos/acme/widgets HTTP/1.1"}}},
		{"reset", []field{get, https, api, {Name: ":path", Value: "repos/acme/rockets"}}},
		{"reset", []field{get, https, api, {Name: ":path", Value: ""}}},
		{"405", []field{{Name: ":method", Value: "get"}, https, api, widgets}},
		{"405", []field{{Name: ":method", Value: "GET /REPOS/ACME/ROCKETS HTTP/1.1"}, https, api, widgets}},
		{"405", []field{{Name: ":method", Value: "GET /REPOS/ACME/ROCKETS"}, https, api, widgets}},
		{"405", []field{{Name: ":method", Value: "D\u00c9L\u00c9TE"}, https, api, widgets}},
		{"405", []field{{Name: ":method", Value: "CONNECT"}, {Name: ":authority", Value: "api.github.com:443"}}},
		{"reset", []field{{Name: ":method", Value: "CONNECT"}, {Name: ":protocol", Value: "websocket"}, https, api, widgets}},
		{"reset", []field{get, {Name: ":scheme", Value: "ftp"}, api, widgets}},
		{"400", []field{get, https, api, widgets, agent, {Name: "connection", Value: "authorization"}}},
		{"400", []field{get, https, api, widgets, agent, {Name: "upgrade", Value: "h2c"}}},
		{"400", []field{get, https, api, widgets, agent, {Name: "transfer-encoding", Value: "chunked"}}},
		{"400", []field{get, https, api, widgets, agent, {Name: "proxy-connection", Value: "keep-alive"}}},
		{"400", []field{get, https, api, widgets, agent, {Name: "te", Value: "gzip"}}},
		{"400", []field{get, https, api, widgets, agent, {Name: "x-http-method-override", Value: "DELETE"}}},
		{"400", []field{get, https, api, widgets, agent, {Name: "content_length", Value: "9"}}},
		{"reset", []field{get, https, api, widgets, {Name: "Authorization", Value: "x"}}},
		{"reset", []field{get, https, api, widgets, {Name: "author ization", Value: "x"}}},
		{"reset", []field{get, https, api, widgets, {Name: "x", Value: "a\r\nauthorization: x"}}},
		{"reset", []field{get, https, api, widgets, {Name: "x", Value: "a\x00"}}},
		{"reset", []field{get, https, api, widgets, {Name: "", Value: "x"}}},
	} {
		w.attemptHTTP2(t, "", test.want, test.fields...)
	}
	w.attemptHTTP2(t, "{}", "403", post, https, api, field{Name: ":path", Value: "/repos/acme/rockets/issues"}, agent)
}

// Requests that are taken back at once end what they began.
func TestAttackRapidReset(t *testing.T) {
	w := compromise(t, func(_ *setup, agent *policy.Client) { agent.Limits.MaxRequests = 50 })
	conn := w.intercepted(t, "api.github.com", &tls.Config{NextProtos: []string{"h2"}})
	framer := openHTTP2(conn)
	go io.Copy(io.Discard, conn)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for stream := uint32(1); stream < 2000; stream += 2 {
		block.Reset()
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "api.github.com"}, {":path", "/repos/acme/widgets"}} {
			encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		if framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}) != nil ||
			framer.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
			break // the server has had enough
		}
	}
	conn.Close()
	w.arrived(t, "rapid reset")
	waitFor(t, func() bool {
		probe := w.intercepted(t, "api.github.com", nil)
		defer probe.Close()
		return w.answerOf(t, probe, spell("api.github.com", "GET /repos/acme/rockets")) == notRockets+"; it is granted acme/widgets"
	}, "the end of the requests")
}

func TestAttackConnect(t *testing.T) {
	w := compromise(t, func(s *setup, agent *policy.Client) {
		s.upstream.Egress = egress(t, true, objects, "")
		agent.Hosts = []string{"api.github.com", "github.com"}
	})
	const (
		egressTo = "403 ghapp-proxy: egress to "
		add      = " is not allowed; add it to egress.allow"
	)
	for target, want := range map[string]string{
		"codeload.github.com:443":             "403 ghapp-proxy: client agent may not reach codeload.github.com (client.agent.hosts)",
		"CodeLoad.GitHub.com.:443":            "403 ghapp-proxy: client agent may not reach codeload.github.com",
		"api.github.com:80":                   "403 ghapp-proxy: port 80 of api.github.com is not served",
		"API.GITHUB.COM:8443":                 "403 ghapp-proxy: port 8443 of api.github.com is not served",
		"api.github.com:443@evil.example:443": "400",
		"evil.example:443@api.github.com:443": "400",
		"x:y@api.github.com:443":              "400",
		"api.github.com":                      "400 ghapp-proxy: CONNECT needs HOST:PORT",
		"api.github.com:":                     "400",
		"api.github.com:0443":                 "403 ghapp-proxy: port 0443 of api.github.com is not served",
		"api.github.com:https":                "400",
		"api.github.com..:443":                "400",
		"api.github.com\u3002:443":            "400",
		"\uff41pi.github.com:443":             "400",
		"api\u2024github.com:443":             "400",
		"api.github.com%00.evil.example:443":  "400",
		"api.github.com/:443":                 "400",
		"*.github.com:443":                    "400",
		"gist.github.com:443":                 egressTo + "gist.github.com:443" + add,
		"evil.example:443":                    egressTo + "evil.example:443" + add,
		objects + ":22":                       egressTo + objects + ":22" + add,
		objects + ":80":                       egressTo + objects + ":80 is not allowed: tunnels to port 80 must be listed",
		objects + ".evil.example:443":         egressTo + objects + ".evil.example:443" + add,
		"140.82.121.6:443":                    egressTo + "140.82.121.6:443" + add,
		"[::ffff:140.82.121.6]:443":           egressTo + "140.82.121.6:443" + add,
		"127.0.0.1:443":                       egressTo + "127.0.0.1:443" + add,
		"localhost:443":                       egressTo + "localhost:443" + add,
		"[::1]:443":                           egressTo + "[::1]:443" + add,
		"169.254.169.254:80":                  egressTo + "169.254.169.254:80" + add,
		"[fd00:ec2::254]:80":                  egressTo + "[fd00:ec2::254]:80" + add,
		"[64:ff9b::7f00:1]:443":               egressTo + "[64:ff9b::7f00:1]:443" + add,
		"[::ffff:127.0.0.1]:443":              egressTo + "127.0.0.1:443" + add,
		"[fe80::1%25lo]:443":                  "400",
		"2130706433:443":                      "400",
		"0x7f000001:443":                      "400",
		"0177.0.0.1:443":                      "400",
		"127.1:443":                           "400",
		"127.0.0.1.:443":                      "4",
		w.addr:                                egressTo + w.addr + add,
	} {
		_, resp := w.connect(t, target)
		if !strings.HasPrefix(resp.Status, want) {
			t.Errorf("CONNECT %s: %q, want %q", target, resp.Status, want)
		}
	}
	// In absolute form, without CONNECT.
	for line, want := range map[string]string{
		"GET http://api.github.com/repos/acme/rockets":         notRockets,
		"GET HTTP://API.GITHUB.COM./repos/acme/rockets":        notRockets,
		"GET https://api.github.com/repos/acme/rockets":        notRockets,
		"GET http://x:y@api.github.com/repos/acme/rockets":     notRockets,
		"GET http://api.github.com:80/repos/globex/tools":      notTools,
		"GET http://api.github.com:443/repos/globex/tools":     "403 port 443 of api.github.com is not served",
		"GET http://api.github.com:8080/":                      "403 port 8080 of api.github.com is not served",
		"GET http://codeload.github.com/globex/tools/zip/main": "403 client agent may not reach codeload.github.com (client.agent.hosts)",
		"GET http://\uff41pi.github.com/":                      "400 the host name",
		"GET http://169.254.169.254/latest/meta-data/":         "403 egress to 169.254.169.254:80 is not allowed",
		"GET http://[::ffff:127.0.0.1]/":                       "403 egress to 127.0.0.1:80 is not allowed",
		"GET http://2130706433/":                               "400",
		"GET http://127.1/":                                    "400",
		"GET http://evil.example/":                             "403 egress to evil.example:80 is not allowed",
		"GET http://" + objects + ":22/":                       "403 egress to " + objects + ":22 is not allowed",
		"GET ftp://evil.example/":                              "400 a ftp URL in absolute form",
		"GET file:///etc/passwd":                               "4",
		"GET https://" + objects + "/":                         "400 a https URL in absolute form",
		"POST http://api.github.com/graphql?query=x":           "403 client agent has limits",
	} {
		w.compare(t, attack{what: line, want: want}, w.answerOf(t, w.dial(t), line+" HTTP/1.1\r\nHost: x\r\n\r\n"))
	}
	w.compare(t, attack{what: "two hosts", want: "400"}, w.answerOf(t, w.dial(t), "GET http://api.github.com/ HTTP/1.1\r\nHost: evil.example\r\nHost: api.github.com\r\n\r\n"))
}

// What is said in TLS does not lead elsewhere. A name that leads to another
// address when it is connected to is TestRebinding.
func TestAttackServerNames(t *testing.T) {
	w := compromise(t, func(s *setup, _ *policy.Client) { s.upstream.Egress = egress(t, true, objects, "") })
	for name, want := range map[string]string{
		"github.com":       "421 the request's TLS server name is \"github.com\", but the connection is to api.github.com",
		"evil.example.com": "421 the request's TLS server name is \"evil.example.com\"",
		"api.github.com":   notRockets,
		"API.GITHUB.COM":   notRockets,
		"":                 notRockets,
		"127.0.0.1":        notRockets, // crypto/tls sends none then
	} {
		conn := w.intercepted(t, "api.github.com", &tls.Config{ServerName: name, InsecureSkipVerify: true})
		w.compare(t, attack{what: "server name " + name, want: want}, w.answerOf(t, conn, spell("api.github.com", "GET /repos/acme/rockets")))
	}
	for _, name := range []string{"api.github.com", "evil.example.com", objects + ".evil.example.com", ""} {
		conn, resp := w.connect(t, objects+":443")
		if resp.StatusCode != 200 {
			t.Fatalf("CONNECT: %s", resp.Status)
		}
		if err := tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake(); err == nil || !strings.Contains(err.Error(), "access denied") {
			t.Errorf("a tunnel to %s with server name %q: %v, want access denied", objects, name, err)
		}
	}
}

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

func TestAttackPlaceholders(t *testing.T) {
	w := exchanging(t, known(t, secrets, func(agent *policy.Client) { agent.Deny = nil }))
	attacker, other := w.as(t, "agent", secrets["agent"]), w.as(t, "other", secrets["other"])
	ci, release := programJWT(strconv.FormatInt(githubtest.CIBotID, 10)), programJWT(strconv.FormatInt(githubtest.ReleaseBotID, 10))
	theirs := exchange(t, other, ci, githubtest.AcmeInstallation, "").Token
	w.github.Reset()

	const mint = "api.github.com/app/installations/%d/access_tokens"
	for _, test := range []struct {
		jwt          string
		installation int64
		body, want   string
	}{
		{release, githubtest.GlobexInstallation, "", "403 installation 222 cannot be used within this client's limits: the account is not allowed"},
		{ci, githubtest.InitechInstallation, "", "403 installation 333 cannot be used within this client's limits: the account is not allowed"},
		{ci, githubtest.GlobexInstallation, "", "404 "},
		{"", githubtest.AcmeInstallation, `{"repositories":["rockets"]}`, "403 installation 111 on acme cannot be used within this client's limits: none of its repositories is allowed"},
		{ci, githubtest.AcmeInstallation, `{"repository_ids":[9002]}`, "403 installation 111 on acme cannot be used within this client's limits: none of its repositories is allowed"},
		{ci, githubtest.AcmeInstallation, `{"permissions":{"administration":"write"}}`, "403 installation 111 on acme cannot be used within this client's limits: it has none of the permissions that are allowed"},
		{ci, githubtest.AcmeInstallation, `{"permissions":{"Contents":"write"}}`, "4"},
		{ci, githubtest.AcmeInstallation, `{"repositories":[]}`, "422"},
		{ci, githubtest.AcmeInstallation, `{"repositories":["widgets"]}{}`, "400"},
		{ci, githubtest.AcmeInstallation, `{"unknown":1}`, "400"},
		{programJWT("999"), githubtest.AcmeInstallation, "", "403 the JWT's iss is \"999\", which is no App that is configured"},
	} {
		what := fmt.Sprintf("%d %s", test.installation, test.body)
		got := w.outcomeOf(t, attacker, test.jwt, "POST", fmt.Sprintf(mint, test.installation), test.body)
		w.compare(t, attack{what: what, want: test.want, asks: true}, got)
	}

	mine := exchange(t, attacker, ci, githubtest.AcmeInstallation, `{"repositories":["widgets","rockets"],"permissions":{"contents":"write","administration":"write"}}`)
	if len(mine.Repositories) != 1 || mine.Repositories[0].FullName != "acme/widgets" || !within(mine.Permissions) {
		t.Errorf("the placeholder is for %+v with %v", mine.Repositories, mine.Permissions)
	}
	w.arrived(t, "a placeholder")
	w.github.Reset()
	const ended = "401 Bad credentials: this placeholder token has ended, or is not one of this proxy for this client and this host"
	guessed := mine.Token[:len(mine.Token)-1] + "~"
	for _, test := range []struct{ token, method, target, want string }{
		{theirs, "GET", "api.github.com/repos/acme/widgets", ended},
		{theirs, "GET", "api.github.com/repos/acme/rockets", notRockets},
		{theirs, "DELETE", "api.github.com/installation/token", ended},
		{guessed, "GET", "api.github.com/repos/acme/widgets", ended},
		{strings.Repeat("0", 40), "GET", "api.github.com/repos/acme/rockets", notRockets},
		{mine.Token, "GET", "api.github.com/repos/acme/rockets", notRockets},
		{mine.Token, "GET", "api.github.com/repos/globex/tools", notTools},
		{mine.Token, "GET", "github.com/globex/tools.git/info/refs?service=git-upload-pack", notTools},
		{mine.Token, "GET", "api.github.com/repos/acme/widgets/contents/README.md", "confined 200"},
		{mine.Token, "GET", "api.github.com/installation/repositories", "confined 200"},
		{mine.Token, "GET", "api.github.com/app", needsJWT},
	} {
		got := w.outcomeOf(t, attacker, "token "+test.token, test.method, test.target, "")
		w.compare(t, attack{what: test.method + " " + test.target, want: test.want}, got)
	}
	if got := w.outcomeOf(t, other, "token "+theirs, "GET", "api.github.com/repos/acme/rockets", ""); got != "200" {
		t.Errorf("the other client's placeholder: %s, want 200", got)
	}
}

func TestAttackIdentity(t *testing.T) {
	own, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, func(s *setup) {
		known(t, secrets, func(agent *policy.Client) { agent.Listen = own.Addr().String() })(s)
		s.own = []*proxy.Listener{{Listener: own, Client: "agent"}}
	})
	basic := func(userinfo string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo))
	}
	// try connects with a Proxy-Authorization.
	try := func(addr, authorization string) (string, http.Header) {
		t.Helper()
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		field := ""
		if authorization != "" {
			field = "Proxy-Authorization: " + authorization + "\r\n"
		}
		io.WriteString(conn, "GET http://api.github.com/repos/acme/rockets HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: x\r\n"+field+"\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return outcome(resp, body), resp.Header
	}
	const (
		wrong   = "407 no client has this name and secret; check them in the proxy URL (ghapp-proxy client add NAME makes a new secret)"
		stopped = "429 too many wrong secrets from 127.0.0.1; check the name and the secret in the proxy URL, and wait"
		missing = "407 this proxy serves only clients that it knows"
	)
	mine, theirs := basic("agent:"+secrets["agent"]), basic("other:"+secrets["other"])
	for _, test := range []struct{ authorization, want string }{
		{"", missing},
		{mine, notRockets},
		{theirs, "200"},
		{"basic " + strings.TrimPrefix(theirs, "Basic "), "200"},
		{basic("other:" + secrets["agent"]), wrong},
		{basic("Other:" + secrets["other"]), wrong},
		{basic("other: " + secrets["other"]), wrong},
		{basic("other"), wrong},
		{basic(":"), wrong},
		{basic("nobody:"), wrong},
		{"Bearer " + secrets["other"], wrong},
		{"Digest username=other", wrong},
		{"Basic %%%", wrong},
		{"Basic " + strings.Repeat("A", 5000), wrong},
		{basic("other:" + policy.HashSecret(secrets["other"]).String()), stopped}, // the eleventh
		{basic("nobody:x"), stopped},
		{theirs, "200"}, // whoever has the secret is not locked out
		{mine, notRockets},
		{"", missing},
	} {
		got, header := try(w.addr, test.authorization)
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("Proxy-Authorization %.60q: %q, want %q", test.authorization, got, test.want)
		}
		if challenged, told := header.Get("Proxy-Authenticate") != "", header.Get("Retry-After") != ""; challenged != strings.HasPrefix(got, "407") || told != strings.HasPrefix(got, "429") {
			t.Errorf("Proxy-Authorization %.60q: %q with %v", test.authorization, got, header)
		}
	}
	// Who comes by the listener of a client is that one, whatever it says.
	for _, authorization := range []string{"", theirs, basic("x:y"), "Bearer x"} {
		if got, _ := try(own.Addr().String(), authorization); !strings.HasPrefix(got, notRockets) {
			t.Errorf("own listener, Proxy-Authorization %q: %q, want %q", authorization, got, notRockets)
		}
	}
	// What is said inside a tunnel does not change who opened it.
	w.github.Reset()
	if resp := with(t, w.as(t, "agent", secrets["agent"]), "", "GET", "https://api.github.com/repos/acme/rockets", ""); resp.StatusCode != 403 {
		t.Errorf("agent: %s, want 403", resp.Status)
	}
	if log := w.log.String(); strings.Contains(log, secrets["agent"]) || strings.Contains(log, secrets["other"]) {
		t.Error("the log has a client's secret in it")
	}
}

// What a client sends does not fill the log.
func TestAttackLog(t *testing.T) {
	w := compromise(t, nil)
	before := len(w.log.String())
	long := strings.Repeat("A", 100_000)
	const most = 20 << 10
	for _, request := range []string{"GET /repos/acme/" + long, "GET /repos/" + long + "/x", long + " /", "GET /\nHost: " + long, "GET /orgs/acme/" + long + "\nAuthorization: " + long} {
		conn := w.intercepted(t, "api.github.com", nil)
		w.answerOf(t, conn, strings.Replace(spell("api.github.com", request), "Host: api.github.com\r\n", "", strings.Count(request, "Host:")))
		conn.Close()
	}
	for _, request := range []string{"CONNECT " + long + ":443", "GET http://" + long + "/", "GET http://api.github.com/repos/acme/" + long} {
		w.answerOf(t, w.dial(t), request+" HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	if logged := len(w.log.String()) - before; logged > most {
		t.Errorf("the log has grown by %d bytes, want %d at most", logged, most)
	}
}

// A client that uses all that it may does not keep another from anything. The
// time that a head or a body may take is not configurable, and too long for a
// test: 30 seconds and two minutes without a byte.
func TestAttackLimits(t *testing.T) {
	limited := func(limits policy.Limits) *world {
		return start(t, known(t, secrets, func(agent *policy.Client) { agent.Limits = limits }))
	}
	const widgets, wait = "api.github.com/repos/acme/widgets", "; wait, or raise client.agent."
	expect := func(w *world, client *http.Client, method, target, body, want string) {
		t.Helper()
		if got := w.outcomeOf(t, client, "", method, target, body); !strings.HasPrefix(got, want) {
			t.Errorf("%s %s: %q, want %q", method, target, got, want)
		}
	}

	t.Run("requests at once", func(t *testing.T) {
		w := limited(policy.Limits{MaxRequests: 2})
		attacker, other := w.as(t, "agent", secrets["agent"]), w.as(t, "other", secrets["other"])
		arrived, release := make(chan struct{}), make(chan struct{})
		w.github.Handle("api.github.com", "/repos/acme/widgets/contents/slow", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			arrived <- struct{}{}
			<-release
		}))
		var ended sync.WaitGroup
		for range 2 {
			ended.Go(func() {
				if resp, err := attacker.Get("https://" + widgets + "/contents/slow"); err == nil {
					resp.Body.Close()
				}
			})
		}
		for range 2 {
			<-arrived
		}
		expect(w, attacker, "GET", widgets, "", "429 client agent is limited to 2 requests at once"+wait+"max_requests")
		expect(w, other, "GET", "api.github.com/repos/acme/rockets", "", "200")
		close(release)
		ended.Wait()
		expect(w, attacker, "GET", widgets, "", "200")
	})

	t.Run("connections", func(t *testing.T) {
		w := limited(policy.Limits{MaxConnections: 2})
		var open []net.Conn
		connect := func(name string) string {
			conn := w.dial(t)
			fmt.Fprintf(conn, "CONNECT api.github.com:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic %s\r\n\r\n", base64.StdEncoding.EncodeToString([]byte(name+":"+secrets[name])))
			resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"})
			if err != nil {
				t.Fatal(err)
			}
			if open = append(open, conn); (resp.Header.Get("Retry-After") == "1") != (resp.StatusCode == 429) {
				t.Errorf("%s with Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
			}
			return resp.Status
		}
		for i, want := range []string{"200", "200", "429 ghapp-proxy: client agent is limited to 2 connections" + wait + "max_connections"} {
			if got := connect("agent"); !strings.HasPrefix(got, want) {
				t.Errorf("connection %d: %q, want %q", i, got, want)
			}
		}
		if got := connect("other"); !strings.HasPrefix(got, "200") {
			t.Errorf("another client's connection: %q, want 200", got)
		}
		for _, conn := range open {
			conn.Close()
		}
		waitFor(t, func() bool { return strings.HasPrefix(connect("agent"), "200") }, "the end of a connection")
	})

	t.Run("requests a minute", func(t *testing.T) {
		w := limited(policy.Limits{RequestsPerMinute: 6})
		attacker := w.as(t, "agent", secrets["agent"])
		expect(w, attacker, "GET", widgets, "", "200")
		expect(w, attacker, "GET", widgets, "", "429 client agent is limited to 6 requests a minute"+wait+"requests_per_minute")
		expect(w, w.as(t, "other", secrets["other"]), "GET", widgets, "", "200")
		resp := with(t, attacker, "", "GET", "https://"+widgets, "")
		if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 10 {
			t.Errorf("Retry-After: %q, want 1 to 10", resp.Header.Get("Retry-After"))
		}
	})

	t.Run("bodies", func(t *testing.T) {
		w := limited(policy.Limits{MaxBody: 1000})
		const (
			large  = "413 client agent may send bodies of 1000 bytes at most; send less, or raise client.agent.max_body"
			issues = "/repos/acme/widgets/issues"
		)
		body := `{"title":"` + strings.Repeat("x", 1200) + `"}`
		gzipped := "Content-Encoding: gzip\r\n"
		for _, test := range []struct{ host, path, fields, body, want string }{
			{"api.github.com", issues, "", body, large},
			{"api.github.com", issues, "Transfer-Encoding: chunked\r\n", chunked(body), large},
			{"api.github.com", issues, "Transfer-Encoding: chunked\r\n", chunked(strings.Split(body, "")...), large},
			{"api.github.com", "/graphql", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", chunked(body), large},
			{"github.com", "/acme/widgets/git-receive-pack", "Transfer-Encoding: chunked\r\n", chunked(commands("", strings.Repeat(oldID, 2)+body)), large},
			{"github.com", "/acme/widgets/git-receive-pack", gzipped, zip(t, strings.Repeat("\x00", 1<<20)) + strings.Repeat("x", 1000), large},
			{"api.github.com", issues, "Transfer-Encoding: chunked\r\n", chunked(`{"title":"x"}`), "201"},
		} {
			conn := w.interceptedAs(t, "agent", test.host)
			text := "POST " + test.path + " HTTP/1.1\r\nHost: " + test.host + "\r\nUser-Agent: x\r\n" + test.fields
			if !strings.Contains(test.fields, "chunked") {
				text += fmt.Sprintf("Content-Length: %d\r\n", len(test.body))
			}
			if got := w.answerOf(t, conn, text+"\r\n"+test.body); !strings.HasPrefix(got, test.want) {
				t.Errorf("%s %q: %q, want %q", test.path, test.fields, got, test.want)
			}
		}
	})

	t.Run("age", func(t *testing.T) {
		w := limited(policy.Limits{MaxConnectionAge: 50 * time.Millisecond})
		conn := w.interceptedAs(t, "agent", "api.github.com")
		time.Sleep(60 * time.Millisecond)
		for _, want := range []string{"200", "closed"} {
			if got := w.answerOf(t, conn, spell("api.github.com", "GET /repos/acme/widgets")); got != want {
				t.Errorf("a request after the connection's age: %q, want %q", got, want)
			}
		}
	})

	t.Run("look-ups", func(t *testing.T) {
		w := exchanging(t, known(t, secrets, func(agent *policy.Client) { agent.Deny, agent.Limits = nil, policy.Limits{LookupsPerMinute: 12} }))
		attacker := w.as(t, "agent", secrets["agent"])
		expect(w, attacker, "GET", "api.github.com/repositories/55555", "", byNumber) // each App is asked
		w.github.Reset()
		const asked = "429 client agent is limited to 12 look-ups a minute" + wait + "lookups_per_minute"
		expect(w, attacker, "GET", "api.github.com/repositories/66666", "", asked)
		expect(w, attacker, "GET", "api.github.com/organizations/66666/repos", "", asked)
		expect(w, attacker, "POST", "api.github.com/app/installations/66666/access_tokens", "", asked)
		expect(w, attacker, "POST", "api.github.com/app/installations/333/access_tokens", "", asked)
		if requests := w.github.Requests(); len(requests) > 0 {
			t.Errorf("GitHub was asked %v", requests)
		}
		expect(w, attacker, "GET", widgets, "", "200")
		expect(w, w.as(t, "other", secrets["other"]), "GET", "api.github.com/repos/globex/tools", "", "200")
	})
}

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
