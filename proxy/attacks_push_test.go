package proxy_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"ghapp-proxy/policy"
)

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
		published = "it changes what has been released (client.agent.push)"
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
		{request: "DELETE /repos/acme/widgets/releases/1", want: `403 client agent may not use "repos/delete-release": ` + published},
		{request: "DELETE /repos/acme/widgets/releases/assets/1", want: `403 client agent may not use "repos/delete-release-asset": ` + published},
		{request: "PATCH /repos/acme/widgets/releases/assets/1\n\n{\"name\":\"x\"}", want: `403 client agent may not use "repos/update-release-asset": ` + published},
		{request: "POST /repos/acme/widgets/releases/assets/1\n\n{\"name\":\"x\"}", want: `403 client agent may not use "repos/update-release-asset": ` + published},
		{host: "uploads.github.com", request: "POST /repos/acme/widgets/releases/1/assets?name=x\n\nx", want: `403 client agent may not use "repos/upload-release-asset": ` + published},
		{request: "DELETE /repositories/9001/releases/1", want: `403 client agent may not use "repos/delete-release": ` + published, asks: true},
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

// A body that makes something else of the request than its path and its method.
func TestAttackBodies(t *testing.T) {
	w := compromise(t, func(_ *setup, agent *policy.Client) { agent.Deny = nil })
	const (
		typed    = "\nContent-Type: application/json\n\n"
		form     = "\nContent-Type: application/x-www-form-urlencoded\n\n"
		advisory = "POST /repos/acme/widgets/security-advisories"
		forks    = "403 client agent is granted repositories, and \"security-advisories/create-fork\" makes one or moves one"
		override = "400 the form's field _method asks for another method than the request's"
		issue    = "POST /repos/acme/widgets/issues"
	)
	w.attempts(t, []attack{
		{request: advisory + typed + `{"summary":"x","start_private_fork":true}`, want: forks},
		{request: advisory + typed + `{"summary":"x","start_private_f\u006frk":true}`, want: forks},
		{request: advisory + typed + `{"start_private_fork":false,"start_private_fork":true}`, want: forks},
		{request: advisory + typed + `{"Start_Private_Fork":true}`, want: forks},
		{request: advisory + typed + `{"start_private_fork":"true"}`, want: forks},
		{request: advisory + "/reports" + typed + `{"start_private_fork":true}`, want: forks},
		{request: advisory + form + `start_private_fork=true`, want: forks},
		{request: advisory + "\n\n" + `{"start_private_fork":true}`, want: forks},
		{request: advisory + "\nContent-Encoding: gzip" + typed + zip(t, `{"start_private_fork":true}`), want: forks},
		{what: "a large advisory", request: advisory + typed + `{"start_private_fork":true,"x":"` + strings.Repeat("x", 100_000) + `"}`, want: forks},
		{request: advisory + typed + `{"summary":"x"}`, want: "confined"},

		{request: issue + form + "_method=DELETE", want: override},
		{request: issue + form + "x=1&%5Fmethod=DELETE", want: override},
		{request: issue + form + `{"x":"&_method=DELETE&"}`, want: override},
		{request: issue + "\n\n_method=DELETE", want: override},
		{request: issue + "\nContent-Type: application/json\nContent-Type: application/x-www-form-urlencoded\n\n_method=DELETE", want: override},
		{request: issue + "\nContent-Type: multipart/form-data; boundary=b\n\n--b\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nDELETE\r\n--b--", want: override},
		{request: issue + "?_method=DELETE" + typed + "{}", want: override},
		{request: issue + "\nContent-Encoding: gzip" + form + zip(t, "_method=DELETE"), want: "400 a form that is compressed or larger than 1 MiB might ask for another method"},
		{what: "a large form", request: issue + form + strings.Repeat("x", 1<<20) + "&_method=DELETE", want: "400 a form that is compressed or larger than 1 MiB might ask for another method"},
		{request: "POST /repos/acme/widgets/issues" + form + `{"title":"x"}`, want: "confined 201"},
	})
}
