package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
)

// variant is a configuration of ghapp-proxy.
type variant struct {
	keys   string // at the top of the file
	tables string // at its end
	owners int    // with an installation each; 0 means acme alone
	secret string // of the client that sends the requests, "" for none
	admin  bool   // its metrics are read
	led    string // where it listens for clients that do not know of it, and the requests come in; "" for CONNECT
}

const (
	shipped = "ghapp-proxy" // with everything on that is on by default
	audit   = "audit log"
	limits  = "client with limits"
	rules   = "1,000 rules"
	clients = "1,000 clients"
	owners  = "15,000 owners"
	metrics = "metrics"
	led     = "transparent"
)

// manyOwners is how many tokens the proxy keeps.
const manyOwners = 15_000

// variants are the peers that are ghapp-proxy, by name.
var variants = map[string]variant{
	shipped: {},
	audit:   {keys: `audit_log = "audit.jsonl"`},
	limits: {
		tables: clientTable("agent", "benchmark") + `repositories = ["acme/widgets"]
permissions = { contents = "write", issues = "write" }
push = ["refs/heads/agent/**"]
deny = ["admin"]
requests_per_minute = 100000000
max_body = "10GiB"
`,
		secret: "agent:benchmark",
	},
	rules: {tables: times(1000, func(i int) string {
		return fmt.Sprintf("[[rule]]\nmethods = [\"PUT\"]\npaths = [\"/repos/{owner}/{repo}/pulls/%d/merge\"]\ndeny = \"a person merges\"\n", i+1)
	})},
	clients: {
		tables: times(1000, func(i int) string { return clientTable(fmt.Sprintf("c%d", i), fmt.Sprintf("secret-%d", i)) }),
		secret: "c777:secret-777",
	},
	owners:  {owners: manyOwners},
	metrics: {admin: true},
	led:     {led: "127.0.0.77:443"}, // the port is that of the host which is meant
}

func clientTable(name, secret string) string {
	return fmt.Sprintf("[client.%s]\nsecret_hash = \"sha256:%x\"\n", name, sha256.Sum256([]byte(secret)))
}

func times(n int, text func(int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(text(i))
	}
	return b.String()
}

// noLimits has GitHub's limits counted as ever, and never reached.
const noLimits = `[governor]
concurrent = 1000000
points_per_minute = 1000000000
graphql_points_per_minute = 1000000000
mints_per_hour = 1000000
`

// config is the configuration file.
func (v variant) config(l *lab, dir, address string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "listen = %q\nstate_dir = %q\n%s\n", address, dir, v.keys)
	fmt.Fprintf(&b, "[upstream]\nca_file = %q\n", l.pki.ca)
	fmt.Fprintf(&b, "connect_to = { %q = %q, %q = %q }\n", apiHost+":443", l.github, gitHost+":443", l.github)
	_, port, _ := strings.Cut(l.github, ":")
	fmt.Fprintf(&b, "[egress]\nallow = [\"127.0.0.1:%s\"]\n", port)
	fmt.Fprintf(&b, "[app.bench]\nid = 12345\nprivate_key_file = %q\ndefault_installation = 1\ndiscover = false\n[app.bench.installations]\nacme = 1\n", l.pki.appKey)
	for i := range v.owners {
		fmt.Fprintf(&b, "%s = %d\n", owner(i), i+2)
	}
	b.WriteString(noLimits)
	if v.led != "" {
		fmt.Fprintf(&b, "[transparent]\nlisten = %q\n", v.led)
	}
	if v.admin {
		fmt.Fprintf(&b, "[admin]\nlisten = %q\n", "unix:"+v.adminSocket(dir))
	}
	b.WriteString(v.tables)
	return b.Bytes()
}

func owner(i int) string { return fmt.Sprintf("owner-%d", i) }

// request writes the head of a request. Only what goes straight to the GitHub has
// the credential.
func (p *peer) request(method, host, target string, body int64) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, host)
	b.WriteString("User-Agent: octokit-core.js/7.0.0\r\nAccept: application/vnd.github+json\r\nX-GitHub-Api-Version: 2022-11-28\r\n")
	if p.process == nil {
		b.WriteString("Authorization: Bearer " + token + "\r\n")
	} else {
		b.WriteString("Authorization: Bearer ghp_placeholder000000000000000000000000000\r\n")
	}
	if body > 0 {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", body)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// small asks for another page each time: requests that are the same share one answer.
func small(p *peer, i int) []byte { return p.request("GET", apiHost, page(i), 0) }

func page(i int) string {
	return fmt.Sprintf("/repos/acme/widgets/issues?state=open&per_page=30&page=%d", i)
}

// large asks for a file at another commit each time.
func large(p *peer, i int) []byte {
	return p.request("GET", apiHost, fmt.Sprintf("/repos/acme/widgets/contents/large?ref=%040x", i), 0)
}

// ofOwner is a request about one of many owners: about each once, and then about any.
func ofOwner(p *peer, i int) []byte {
	if i >= manyOwners {
		i = rand.IntN(manyOwners)
	}
	return p.request("GET", apiHost, "/repos/"+owner(i)+"/widgets/issues?state=open", 0)
}

// query is what gh sends for `gh pr list`, or about that.
const query = `{"query":"query PullRequestList($owner: String!, $repo: String!, $limit: Int!, $endCursor: String, $state: [PullRequestState!] = OPEN) { repository(owner: $owner, name: $repo) { pullRequests(states: $state, first: $limit, after: $endCursor, orderBy: {field: CREATED_AT, direction: DESC}) { totalCount nodes { number title state url headRefName headRepositoryOwner { id login ... on User { name } } isCrossRepository isDraft createdAt } pageInfo { hasNextPage endCursor } } } }","variables":{"owner":"acme","repo":"widgets","limit":30,"state":["OPEN"]}}`

func graphQL(p *peer, _ int) []byte {
	return append(p.request("POST", apiHost, "/graphql", int64(len(query))), query...)
}
