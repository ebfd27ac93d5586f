package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// agreementApps are the Apps of the fake GitHub, which is not asked what it knows of
// owners: globex and acme are mapped, octocat is not.
const agreementApps = `
[app.ci-bot]
id = 12345
client_id = "Iv23liCIBOTCIBOTCIBO"
client_secret_file = "ci-bot.secret"
private_key_file = "ci-bot.pem"
default_installation = 111
discover = false
[app.ci-bot.installations]
acme = 111
initech = 333
[app.release-bot]
id = 67890
private_key_file = "release-bot.pem"
discover = false
[app.release-bot.installations]
globex = 222
[app.server]
host = "ghe.example.com"
id = 12345
private_key_file = "ci-bot.pem"
default_installation = 111
discover = false
[app.server.installations]
acme = 111
`

// agreementClients have each limit that there is.
var agreementClients = []struct{ name, limits string }{
	{"", ""}, // none of them, whom allow_anonymous lets in
	{"free", ""},
	{"owners", `owners = ["acme"]`},
	{"no-default", `owners = ["acme", "globex"]`},
	{"default-owner", `owners = ["acme", "globex"]` + "\n" + `default_owner = "globex"`},
	{"repositories", `repositories = ["acme/widgets"]`},
	{"pattern", `repositories = ["*/widgets", "globex/t*"]` + "\n" + `default_owner = "acme"`},
	{"permissions", `permissions = { contents = "read", issues = "write" }`},
	{"reader", `read_only = true`},
	{"allow", `allow = ["graphql", "info/refs", "git-upload-pack", "issues/list-for-repo", "* /repos/{owner}/{repo}/contents/**"]`},
	{"deny", `deny = ["admin", "credentials", "PUT /repos/{owner}/{repo}/pulls/{number}/merge"]`},
	{"admin", `allow = ["admin", "repos/get"]`},
	{"no-graphql", `graphql = "deny"`},
	{"queries", `graphql = "read"`},
	{"mutations", `mutations = ["addComment"]`},
	{"jwt", `owners = ["acme"]` + "\njwt = true"},
	{"ci-bot-only", `apps = ["ci-bot"]`},
	{"release-bot-only", `apps = ["release-bot"]` + "\njwt = true"},
	{"push", `push = ["refs/heads/agent/**"]`},
	{"deny-push", `deny_push = ["refs/heads/main"]`},
	{"hosts", `hosts = ["api.github.com"]`},
	{"agent", `repositories = ["acme/widgets"]` + "\n" + `deny = ["admin", "credentials"]` + "\n" + `push = ["refs/heads/agent/**"]`},
}

// agreementKeys are the proxy's in all variants.
const agreementKeys = "plain_http = true\nallow_anonymous = true\n"

// variant is what else can be replaced while the proxy runs: keys of its own, and
// rules.
type variant struct{ keys, rules string }

var variants = []variant{
	{},
	{"jwt_writes = true\ndefault_owner = \"globex\"\n", `
[[rule]]
name = "not these"
repositories = ["acme/rockets", "globex/*"]
deny = "nobody's business"
`},
	{"exchange = \"placeholder\"\n", `
[[rule]]
owners = ["globex"]
methods = ["GET"]
operations = ["repos/get"]
auth = "none"
[[rule]]
owners = ["globex"]
deny = "of somebody else"
[[rule]]
paths = ["/repos/{owner}/{repo}/hooks/**", "/app/hook/**"]
methods = ["POST", "DELETE"]
deny = "not by path"
`},
	{"", `
[[rule]]
clients = ["free", "owners"]
hosts = ["raw.githubusercontent.com", "github.com"]
auth = "keep"
[[rule]]
operations = ["apps/create-installation-access-token", "apps/redeliver-webhook-delivery"]
auth = "jwt"
app = "release-bot"
[[rule]]
repositories = ["acme/*"]
methods = ["GET", "POST"]
auth = "installation"
token = { repositories = ["widgets"], permissions = { contents = "read" } }
[[rule]]
operations = ["graphql/deleteRef", "issues/create"]
deny = "not this"
[[rule]]
paths = ["/user/**", "/search/**"]
auth = "installation"
app = "ci-bot"
installation = 333
`},
}

// ofOperations are names that GitHub's operations are asked for with, by parameter.
var ofOperations = map[string]string{
	"org": "acme", "owner": "acme", "repo": "widgets", "username": "acme", "template_owner": "globex", "template_repo": "tools",
	"enterprise": "megacorp", "installation_id": "111", "ref": "heads/main", "path": "docs/read.md", "client_id": "Iv23liCIBOTCIBOTCIBO",
	"account_id": "5001", "branch": "main", "basehead": "main...globex:main", "secret_name": "KEY", "team_slug": "crew",
}

// operationRequests asks for all operations that the table has.
func operationRequests(t *testing.T) (requests []asked) {
	t.Helper()
	table, err := os.ReadFile("../rules/operations.txt")
	if err != nil {
		t.Fatal(err)
	}
	parameter := regexp.MustCompile(`\{([^}.]*)[^}]*\}`)
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[0] == "#" {
			continue
		}
		base := "https://api.github.com"
		if fields[3] == "s" {
			base = "https://ghe.example.com/api/v3"
		}
		path := parameter.ReplaceAllStringFunc(fields[1], func(name string) string {
			if value := ofOperations[strings.Trim(name, "{}.")]; value != "" {
				return value
			}
			return "42"
		})
		requests = append(requests, asked{method: fields[0], url: base + path})
	}
	if len(requests) < 1500 {
		t.Errorf("the table has only %d operations", len(requests))
	}
	return requests
}

// specialRequests are those of which the path does not say it all.
func specialRequests() (requests []asked) {
	for line := range strings.Lines(specialTable) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		request, body, _ := strings.Cut(line, " | ")
		method, url, _ := strings.Cut(request, " ")
		if strings.HasPrefix(url, "/") {
			url = "https://api.github.com" + url
		}
		requests = append(requests, asked{method, url, body})
	}
	return requests
}

const specialTable = `
GET /
GET /rate_limit
HEAD /repos/acme/widgets
GET /repos/ACME/Widgets
GET /repos/acme/rockets
GET /repos/globex/tools/contents/README.md
GET /repos/octocat/hello-world
POST /repos/octocat/hello-world/issues | {"title":"x"}
GET /repos/acme/%77idgets
GET /repos/acme/%2572ockets
GET /repos/acme%2Frockets
GET /repos/acme/widgets%2F..%2Frockets
GET /repos/acme/widgets/../rockets
GET /repos/acme/widgets/%2e%2E/rockets
GET /repos/acme/widgets/%252e%252e/rockets
GET /repos/acme/widgets;x=1/issues
GET /repos/acme/widgets.
GET /repos/acme/widgets.git
GET /repos/acme/rockets/
GET /repos/acme/widgets%00
GET /repos/acme/widgets%20
GET /repos/acme/widget%C5%BF
GET /repos//acme/rockets
GET //repos/acme/rockets
GET /REPOS/acme/rockets
GET /%72epos/acme/rockets
GET /api/v3/repos/acme/rockets
GET /repos/acme/widgets?/../../globex/tools
GET /repos/acme/widgets//hooks
GET /repos/acme/widgets/hooks.json
GET /repos/acme/widgets/new-thing
GET /repositories/77777
GET /repositories/09003
GET /repositories/9003
GET /repositories/9001/hooks
GET /organizations/5002/members
GET /user/77777/repos
GET /teams/1/repos
GET /networks/globex/tools/events
GET /notifications
GET /user/repos
GET /orgs/acme/repos
GET /installation/repositories
DELETE /installation/token
TRACE /repos/acme/widgets
TRACE /
PROPFIND /repos/acme/widgets
get /repos/acme/widgets
OPTIONS /repos/acme/widgets
M-SEARCH /repos/acme/widgets
PUT /repos/acme/widgets/pulls/1/merge
POST /repos/acme/widgets/pulls | {"title":"x","head":"globex:main","base":"main"}
POST /repos/acme/widgets/git/refs | {"ref":"refs/heads/main","sha":"0000000000000000000000000000000000000000"}
POST /repos/acme/widgets/forks | {"organization":"globex"}
POST /repos/acme/widgets/transfer | {"new_owner":"globex"}
PATCH /repos/acme/widgets | {"name":"gadgets"}
POST /repos/acme/widgets/issues | {"title":
POST /repos/acme/widgets/issues | {"title":"x","_method":"DELETE"}
POST /repos/acme/widgets/issues?_method=DELETE | {"title":"x"}
POST /repos/acme/widgets/generate | {"owner":"globex","name":"x"}
POST /repos/acme/widgets/dispatches | {"event_type":"x"}
PUT /orgs/acme/teams/crew/repos/globex/tools
PUT /user/installations/111/repositories/9001
POST /orgs/acme/repos | {"name":"new"}
POST /app/installations/111/access_tokens
POST /app/installations/111/access_tokens | {"repositories":["widgets"]}
POST /app/installations/222/access_tokens
GET /app
GET /app/installations
GET /repos/acme/widgets/installation
GET /repos/globex/tools/installation
POST /app/hook/deliveries/1/attempts
PATCH /app/hook/config | {"url":"https://example.com"}
POST /applications/Iv23liCIBOTCIBOTCIBO/token | {"access_token":"x"}
DELETE /applications/Iv23liCIBOTCIBOTCIBO/grant | {"access_token":"x"}
POST /applications/Iv23liRELEASEBOTRELE/token | {"access_token":"x"}
POST /applications/Iv23liNobodyKnows/token | {"access_token":"x"}
GET /search/code?q=x+repo:globex/tools
GET /search/code?q=x+org:globex
GET /search/code?q=x+repo:acme/widgets
GET /search/code?q=x+repo:acme/widgets+OR+repo:globex/tools
GET /search/code?q=x+%72epo%3Aglobex%2Ftools
GET /search/issues?q=x
GET /search/issues?q=x+repo:acme/widgets&q=y
GET /search/repositories?q=user:acme
GET /repos/acme/widgets/issues?callback=f
GET /repos/acme/widgets/compare/main...globex:main
POST /graphql | {"query":"{viewer{login}}"}
POST /graphql?x=1 | {"query":"{viewer{login}}"}
POST /graphql
GET /graphql?query={viewer{login}}
POST /graphql | {"query":"{repository(owner:\"acme\",name:\"widgets\"){id}}"}
POST /graphql | {"query":"{repository(owner:\"globex\",name:\"tools\"){id}}"}
POST /graphql | {"query":"query($o:String!){repository(owner:$o,name:\"tools\"){id}}","variables":{"o":"globex"}}
POST /graphql | {"query":"query($o:String!){repository(owner:$o,name:\"tools\"){id}}"}
POST /graphql | {"query":"{a:repository(owner:\"acme\",name:\"widgets\"){id} b:repository(owner:\"globex\",name:\"tools\"){id}}"}
POST /graphql | {"query":"{organization(login:\"acme\"){repositories(first:9){nodes{name}}}}"}
POST /graphql | {"query":"{search(query:\"org:globex\",type:REPOSITORY,first:9){repositoryCount}}"}
POST /graphql | {"query":"{search(query:\"secret\",type:ISSUE,first:9){issueCount}}"}
POST /graphql | {"query":"mutation{addComment(input:{subjectId:\"I_kwDOAAEiM80\",body:\"x\"}){clientMutationId}}"}
POST /graphql | {"query":"mutation{deleteRef(input:{refId:\"x\"}){clientMutationId}}"}
POST /graphql | {"query":"mutation{createIssue(input:{title:\"x\"}){clientMutationId}}"}
POST /graphql | {"query":"mutation{mergePullRequest(input:{pullRequestId:\"x\"}){clientMutationId}}"}
POST /graphql | {"query":"mutation{doWhatNobodyHasHeardOf(input:{}){clientMutationId}}"}
POST /graphql | {"query":"query A{viewer{login}} query B{viewer{login}}"}
POST /graphql | {"query":"{viewer{login}}","query":"{x}"}
POST /graphql | [{"query":"{viewer{login}}"}]
POST /graphql | {"query":"{viewer
POST /GraphQL | {"query":"{viewer{login}}"}
POST /graphql/x | {"query":"{viewer{login}}"}
POST https://uploads.github.com/repos/acme/widgets/releases/1/assets?name=x | {}
POST https://uploads.github.com/repos/globex/tools/releases/1/assets?name=x | {}
GET https://uploads.github.com/repos/acme/widgets
GET https://raw.githubusercontent.com/acme/widgets/main/README.md
GET https://raw.githubusercontent.com/globex/tools/main/README.md
GET https://raw.githubusercontent.com/octocat/hello-world/main/README.md
GET https://codeload.github.com/acme/widgets/tar.gz/refs/heads/main
GET https://codeload.github.com/globex/tools/zip/main
GET https://github.com/acme/widgets
GET https://github.com/acme/widgets/archive/main.tar.gz
GET https://github.com/acme/widgets.git/info/refs?service=git-upload-pack
GET https://github.com/acme/widgets/info/refs?service=git-receive-pack
GET https://github.com/globex/tools.git/info/refs?service=git-upload-pack
GET https://github.com/octocat/hello-world.git/info/refs?service=git-upload-pack
POST https://github.com/acme/widgets.git/git-upload-pack
POST https://github.com/globex/tools.git/git-upload-pack
POST https://github.com/acme/widgets.git/git-receive-pack
POST https://github.com/globex/tools.git/git-receive-pack
POST https://github.com/acme/widgets.git/info/lfs/objects/batch | {"operation":"download","objects":[]}
POST https://github.com/acme/widgets.git/info/lfs/objects/batch | {"operation":"upload","objects":[]}
GET https://github.com/acme/widgets.git/info/lfs/locks
POST https://github.com/login/oauth/access_token | {"client_id":"x"}
GET https://github.com/
GET https://github.com/acme/widgets/releases/download/v1.0.0/widgets.txt
GET https://ghe.example.com/api/v3/repos/acme/widgets
GET https://ghe.example.com/api/v3/repos/globex/tools
POST https://ghe.example.com/api/graphql | {"query":"{viewer{login}}"}
GET https://ghe.example.com/acme/widgets.git/info/refs?service=git-upload-pack
POST https://ghe.example.com/acme/widgets.git/git-receive-pack
GET https://ghe.example.com/raw/acme/widgets/main/README.md
GET https://ghe.example.com/_codeload/acme/widgets/tar.gz/main
POST https://ghe.example.com/api/uploads/repos/acme/widgets/releases/1/assets?name=x | {}
GET https://ghe.example.com/storage/lfs/1/objects/abc
GET https://ghe.example.com/stafftools
`
