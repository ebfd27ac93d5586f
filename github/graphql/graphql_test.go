package graphql

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ghapp-proxy/github/search"
)

// body makes a request of a document and, optionally, the JSON of variables.
func body(query, variables string) []byte {
	text, err := json.Marshal(query)
	if err != nil {
		panic(err)
	}
	if variables == "" {
		return []byte(`{"query":` + string(text) + `}`)
	}
	return []byte(`{"query":` + string(text) + `,"variables":` + variables + `}`)
}

// The files gh-*.json are what gh 2.23.0 sent.
func TestClients(t *testing.T) {
	files, err := filepath.Glob("testdata/requests/*.json")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]struct{ subjects, source, fields string }{
		"gh-auth-status":         {"", "", "viewer"},
		"gh-introspection":       {"", "", "__type"},
		"gh-issue-create":        {"repository:9001", "node id", "createIssue"},
		"gh-issue-create-lookup": {"acme/widgets", "graphql", "repository"},
		"gh-issue-edit-label":    {"repository:9001", "node id", "addLabelsToLabelable"},
		"gh-issue-list":          {"acme/widgets", "graphql", "repository"},
		"gh-issue-list-label":    {"acme/widgets", "graphql", "repository search"},
		"gh-issue-view":          {"acme/widgets", "graphql", "repository"},
		"gh-issue-view-comments": {"repository:9001", "node id", "node"},
		"gh-pr-checks":           {"repository:9001", "node id", "node"},
		"gh-pr-comment":          {"repository:9001", "node id", "addComment"},
		"gh-pr-create":           {"repository:9001", "node id", "createPullRequest"},
		"gh-pr-create-reviewers": {"acme/widgets acme", "graphql", "user repository organization"},
		"gh-pr-list":             {"acme/widgets", "graphql", "repository"},
		"gh-pr-list-search":      {"acme/widgets", "graphql", "search"},
		"gh-pr-merge":            {"repository:9001", "node id", "mergePullRequest"},
		"gh-pr-status":           {"acme/widgets", "graphql", "repository search"},
		"gh-pr-view":             {"acme/widgets", "graphql", "repository"},
		"gh-repo-list":           {"acme", "graphql", "repositoryOwner"},
		"gh-repo-view":           {"acme/widgets", "graphql", "repository"},
		"gh-status":              {"", "", "search"},
		"octokit-paginate":       {"acme/widgets", "graphql", "repository"},
		"octokit-commit":         {"acme/widgets", "graphql", "createCommitOnBranch"},
	}
	if len(files) != len(want) {
		t.Errorf("%d files, want %d", len(files), len(want))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := readEachWay(t, b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		w := want[name]
		if got := brief(doc.Subjects...); got != w.subjects || doc.Source != w.source {
			t.Errorf("%s: subjects %q from %q, want %q from %q", name, got, doc.Source, w.subjects, w.source)
		}
		if got := strings.Join(doc.Fields, " "); got != w.fields {
			t.Errorf("%s: fields %q, want %q", name, got, w.fields)
		}
		mutation := strings.Contains(string(b), "mutation")
		if doc.Mutation != mutation || doc.Unclear || doc.Credential != "" {
			t.Errorf("%s: mutation %v, unclear %v, credential %q", name, doc.Mutation, doc.Unclear, doc.Credential)
		}
	}
}

func TestSubjects(t *testing.T) {
	const widgets, issue, user = "R_kgDNIyk", "I_kwDOHrjtbc5OBUYo", "MDQ6VXNlcjU4MzIzMQ=="
	for _, tt := range []struct{ query, variables, want string }{
		// By name.
		{`{repository(owner:"acme",name:"widgets"){id}}`, "", "acme/widgets"},
		{`{repository(name:"widgets",owner:"acme"){id} x:repository(owner:"ACME",name:"Widgets"){id}}`, "", "acme/widgets"},
		{`{a:repository(owner:"acme",name:"widgets"){id} b:repository(owner:"globex",name:"tools"){id}}`, "", "acme/widgets globex/tools"},
		{`{organization(login:"acme"){id}}`, "", "acme"},
		{`{organization(login:"acme"){repository(name:"widgets"){id}}}`, "", "acme/widgets"},
		{`{organization(login:"acme"){repository(name:"widgets"){id} teams(first:1){totalCount}}}`, "", "acme/widgets acme"},
		{`{organization(login:"acme"){...F}} fragment F on Organization{...on Organization{repository(name:"widgets"){id}}}`, "", "acme/widgets"},
		{`{repositoryOwner(login:"acme"){...F} o:repositoryOwner(login:"globex"){...F}} fragment F on RepositoryOwner{repository(name:"x"){id}}`, "", "acme/x globex/x"},
		{`{organization(login:"acme")}`, "", "acme"},
		{`{user(login:"octocat"){repositories(first:9){totalCount}}}`, "", "octocat"},
		{`{user(login:"octocat"){login}}`, "", "octocat"},
		{`{user(login:"octocat"){login} organization(login:"acme"){id}}`, "", "acme"},
		{`{enterprise(slug:"megacorp"){id}}`, "", "enterprise:megacorp"},
		{`{relay{repository(owner:"acme",name:"widgets"){id}}}`, "", "acme/widgets"},
		{`{repository(owner:"""acme""",name:"""
			widgets
			"""){id}}`, "", "acme/widgets"},
		{`{repository(owner:"\u0061cme",name:"widgets"){id}}`, "", "acme/widgets"},
		{`{viewer{repository(name:"widgets"){id}} rateLimit{cost} meta{gitHubServicesSha} __schema{types{name}}}`, "", ""},

		// Directives do not matter.
		{`query($n:Boolean=false){repository(owner:"acme",name:"widgets")@include(if:$n){id} ...@skip(if:true){organization(login:"globex"){id}}}`, "", "acme/widgets globex"},

		// Variables.
		{`query($o:String!,$n:String="widgets"){repository(owner:$o,name:$n){id}}`, `{"o":"acme"}`, "acme/widgets"},
		{`query($o:String="acme",$n:String="widgets"){repository(owner:$o,name:$n){id}}`, `{"o":"globex"}`, "globex/widgets"},
		{`query($o:String="acme"){organization(login:$o){id}}`, `{"o":null}`, ""},
		{`query($o:String){organization(login:$o){id}}`, "null", ""},
		{`query($o:String){organization(login:$o){id}}`, `{"O":"acme"}`, ""},
		{`{organization(login:"acme"){id}}`, `{"login":"globex","repositoryId":"` + widgets + `"}`, "acme"},

		// Operations and fragments that do not run.
		{`{viewer{login}} fragment F on Query{organization(login:"acme"){id} ...F}`, "", ""},
		{`{...F} fragment F on Query{organization(login:"acme"){id}}`, "", "acme"},

		// Search and URLs.
		{`{search(query:"repo:acme/widgets org:globex",type:ISSUE,first:1){issueCount}}`, "", "acme/widgets globex"},
		{`query($q:String!){search(query:$q,type:ISSUE){issueCount}}`, `{"q":"-repo:acme/widgets user:globex"}`, "globex"},
		{`{repository(owner:"acme",name:"widgets"){labels(query:"repo:globex/tools",first:1){totalCount}}}`, "", "acme/widgets"},
		{`{resource(url:"https://github.com/acme/widgets/pull/1"){url}}`, "", "acme/widgets"},
		{`{resource(url:"https://github.com/acme"){url}}`, "", "acme"},
		{`{resource(url:"https://github.com/orgs/acme/projects/1"){url}}`, "", "acme"},
		{`{resource(url:"https://github.com/enterprises/megacorp"){url}}`, "", "enterprise:megacorp"},

		// Node ids.
		{`{node(id:"` + issue + `"){id}}`, "", "repository:515435885"},
		{`{nodes(ids:["` + issue + `","` + widgets + `","` + issue + `"]){id}}`, "", "repository:515435885 repository:9001"},
		{`query($ids:[ID!]!){nodes(ids:$ids){id}}`, `{"ids":["` + widgets + `"]}`, "repository:9001"},
		{`query($id:ID!){nodes(ids:[$id]){id}}`, `{"id":"` + widgets + `"}`, "repository:9001"},
		{`{node(id:"` + user + `"){id}}`, "", "account:583231"},
		{`mutation{createRepository(input:{ownerId:"` + user + `",name:"x"}){clientMutationId}}`, "", "account:583231"},
		{`mutation{createIssue(input:{repositoryId:"` + widgets + `",title:"x",assigneeIds:["` + user + `"],labelIds:["LA_kwDNIyll"]}){issue{id}}}`, "", "repository:9001"},
		{`mutation($i:RequestReviewsInput!){requestReviews(input:$i){clientMutationId}}`,
			`{"i":{"pullRequestId":"PR_kwDNIynOAGrP5g","userIds":["` + user + `"],"teamIds":["T_kwAFBg"],"botIds":["BOT_kgDOABCD"],"clientMutationId":"` + issue + `"}}`, "repository:9001"},
		{`mutation{setX(input:{subjectId:"` + user + `",bypassActorIds:["` + widgets + `"]}){clientMutationId}}`, "", ""},
		{`mutation{transferIssue(input:{issueId:"` + issue + `",repositoryId:"` + widgets + `"}){clientMutationId}}`, "", "repository:515435885 repository:9001"},
		{`mutation{a(input:{b:[{c:{repositoryNameWithOwner:"acme/widgets"}},{c:{repositoryNameWithOwner:"globex/tools"}}]}){d}}`, "", "acme/widgets globex/tools"},
		{`mutation{addSubIssue(input:{issueId:"R_kgDNIyk",subIssueUrl:"https://github.com/globex/tools/issues/1"}){issue{id}}}`, "", "repository:9001 globex/tools"},
		{`mutation{a(input:{ownerName:"globex"}){b} c(input:{repositoryOwnerLogin:"acme"}){d}}`, "", "globex acme"},
		{`mutation{createPullRequest(input:{repositoryId:"R_kgDNIyk",headRefName:"feature"}){pullRequest{id}}}`, "", "repository:9001"},
		{`{repository(owner:"acme",name:"widgets"){issue(number:1){timeline(where:{id:"` + issue + `"}){x}}}}`, "", "acme/widgets repository:515435885"},
		{`mutation{createIssue(input:{repositoryId:"` + widgets + `",body:"` + issue + `"}){issue{id}}}`, "", "repository:9001"},
	} {
		doc, err := readEachWay(t, body(tt.query, tt.variables))
		if got := brief(doc.Subjects...); err != nil || got != tt.want || doc.Unclear {
			t.Errorf("Read(%s %s) = %q, unclear %v, %v, want %q", tt.query, tt.variables, got, doc.Unclear, err, tt.want)
		}
	}
}

// What should name somebody, and does not.
func TestUnclear(t *testing.T) {
	for _, tt := range []struct{ query, variables, want string }{
		{`{repository(owner:acme,name:"widgets"){id}}`, "", ""},
		{`{repository(owner:"acme"){id}}`, "", "acme"},
		{`{repository(owner:"acme",name:"wid gets"){id}}`, "", "acme"},
		{`{repository(owner:"ac/me",name:"widgets"){id}}`, "", ""},
		{`{repository(owner:"%61cme",name:"widgets"){id}}`, "", ""},
		{`{repository(owner:["acme"],name:"widgets"){id}}`, "", ""},
		{`query($o:String!){organization(login:$o){id}}`, `{"o":1e3}`, ""},
		{`query($o:String!){organization(login:$o){id}}`, `{"o":{"o":"acme"}}`, ""},
		{`query($o:String!=true){organization(login:$o){id}}`, "", ""},
		{`{enterprise(slug:"a b"){id}}`, "", ""},
		{`{organization(login:"a b"){id}}`, "", ""},
		{`{user(login:".."){id}}`, "", ""},
		{`{search(query:"org:acme` + strings.Repeat(" ", search.MaxLength) + `",type:ISSUE){issueCount}}`, "", ""},
		{`query($i:X){a(input:$i){b}}`, `{"i":{"repositoryNameWithOwner":"` + strings.Repeat("a", 400) + `/b"}}`, ""},
		{`{node(id:"opaque"){id}}`, "", ""},
		{`{node(id:5){id}}`, "", ""},
		{`query($id:ID!){node(id:$id){id}}`, `{"id":5}`, ""},
		{`mutation{createIssue(input:{repositoryId:"MDU6SXNzdWUx"}){issue{id}}}`, "", ""},
		{`mutation{a(input:{repositoryNameWithOwner:"acme"}){b}}`, "", ""},
		{`mutation{a(input:{repositoryNameWithOwner:1}){b}}`, "", ""},
		{`mutation{a(input:{headRefName:"globex:main"}){b}}`, "", ""},
		{`mutation{a(input:{headRefName:1}){b}}`, "", ""},
		{`mutation{a(input:{subIssueUrl:"x"}){b}}`, "", ""},
		{`mutation{a(input:{ownerName:"a/b"}){b}}`, "", ""},
		{`{resource(url:"github.com/acme/widgets"){url}}`, "", ""},
		{`{resource(url:"https://github.com/"){url}}`, "", ""},
		{`{resource(url:"https://github.com/acme%2Fwidgets"){url}}`, "", ""},
		{`{resource(url:"https://acme@github.com/acme/widgets"){url}}`, "", ""},
		{`{resource(url:"ssh://github.com/acme/widgets"){url}}`, "", ""},
	} {
		doc, err := readEachWay(t, body(tt.query, tt.variables))
		if got := brief(doc.Subjects...); err != nil || got != tt.want || !doc.Unclear {
			t.Errorf("Read(%s %s) = %q, unclear %v, %v, want %q, unclear", tt.query, tt.variables, got, doc.Unclear, err, tt.want)
		}
	}
}

// JSON is read with its white space and escapes.
func TestJSON(t *testing.T) {
	doc, err := readEachWay(t, []byte(" {\r\n\t\"query\" : \"query($o:String!,$x:X){organization(login:$o){id} a(x:$x){b}}\" ,\n"+
		`"variables": { "o" : "\u0061cme", "x": [ ] , "y": { } , "z" : [ 1 , -2.5e3,true, null ,{"\"\\": false } ] } , "extensions" : null } `))
	if err != nil || brief(doc.Subjects...) != "acme" {
		t.Errorf("%+v, %v", doc, err)
	}
}

func TestDocument(t *testing.T) {
	doc, err := readEachWay(t, body(`mutation{...F z:closeIssue(input:{}){clientMutationId} closeIssue{id}}
		fragment F on Mutation{... on Mutation{createIssue(input:{}){issue{repository{...G}}}}}
		fragment G on Repository{t:tempCloneToken}`, ""))
	if err != nil || !doc.Mutation || strings.Join(doc.Fields, " ") != "createIssue closeIssue" || doc.Credential != "tempCloneToken" {
		t.Errorf("mutation: %+v, %v", doc, err)
	}
	doc, err = readEachWay(t, body(`{user(login:"hubot"){id} repository(owner:"acme",name:"widgets"){id}
		resource(url:"https://GitHub.com:443/acme/widgets"){url}}`, ""))
	if err != nil || brief(doc.Profiles...) != "hubot" || len(doc.ResourceHosts) != 1 || doc.ResourceHosts[0] != "github.com" {
		t.Errorf("profile: %+v, %v", doc, err)
	}
}
