package proxy_test

import (
	"strings"
	"testing"

	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

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
		{request: document(`mutation{addSubIssue(input:{issueId:"` + idOf("I", 9001, 300) + `",subIssueUrl:"https://github.com/globex/tools/issues/1"}){clientMutationId}}`), want: "403 client agent", asks: true},
		{request: document(`mutation{createPullRequest(input:{repositoryId:"` + idOf("R", 9001) + `",headRefName:"globex:main",baseRefName:"main",title:"x"}){clientMutationId}}`), want: unclear, asks: true},

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

// A rule denies acme/rockets. It holds against who does not name it.
func TestAttackDeniedRepository(t *testing.T) {
	w := compromise(t, func(s *setup, agent *policy.Client) {
		agent.Deny = nil
		s.options.Rules.Rules = []rules.Rule{
			{Repositories: repositories(t, "acme/rockets"), Deny: "rockets are secret"},
			{Owners: []rules.Glob{"globex"}, Deny: "globex is another's"},
		}
	})
	const (
		denied  = "403 rule[1] denies this: rockets are secret"
		leads   = "403 rule[1] looks at whom or what a request is about, and this document may lead to others than it names"
		unclear = "403 rule[1] looks at whom or what a request is about, and this one does not say so that it can be told"
		rockets = `repository(name:"rockets"){object(expression:"main:x"){...on Blob{text}}}`
		plain   = `{"query":"{viewer{login}}"}`
	)
	in := func(selection string) string {
		return document(`{repository(owner:"acme",name:"widgets"){` + selection + `}}`)
	}
	w.attempts(t, []attack{
		{request: document(`{repository(owner:"acme",name:"rockets"){id}}`), want: denied},
		{request: in(`id issues(first:1){nodes{title author{login}}}`), want: "confined 200"},
		{request: in("owner{" + rockets + "}"), want: leads},
		{request: in("owner{...on Organization{" + rockets + "}}"), want: leads},
		{request: document(`{repository(owner:"acme",name:"widgets"){owner{...F}}} fragment F on RepositoryOwner{` + rockets + `}`), want: leads},
		{request: in("owner{...on Organization{repositories(first:9){nodes{description}}}}"), want: leads},
		{request: in("owner{...on Organization{teams(first:9){nodes{repositories(first:9){nodes{description}}}}}}"), want: leads},
		{request: document(`{organization(login:"acme"){repositories(first:9){nodes{name defaultBranchRef{target{oid}}}}}}`), want: leads},
		{request: in(`owner{repository(name:"rockets"){name defaultBranchRef{target{oid}}}}`), want: leads},
		{request: in("forks(first:9){nodes{nameWithOwner}}"), want: leads},
		{request: document(`{search(query:"rockets",type:REPOSITORY,first:9){nodes{...on Repository{nameWithOwner}}}}`), want: leads},
		{request: document(`{search(query:"\" repo:acme/widgets \" secret",type:ISSUE,first:9){nodes{...on Issue{body}}}}`), want: leads},
		{request: in("assignableUsers(first:9){nodes{repository(name:\"x\"){name}}}"), want: leads},
		{request: in("issues(first:1){nodes{author{...on Organization{" + rockets + "}}}}"), want: leads},
		{request: in("issue(number:1){timelineItems(first:9){nodes{...on CrossReferencedEvent{source{...on Issue{body}}}}}}"), want: leads},
		{request: in("issue(number:1){parent{body} subIssues(first:9){nodes{body}}}"), want: leads},
		{request: in("parent{issues(first:9){nodes{body}}}"), want: leads},
		{request: in("forks(first:9){nodes{description}}"), want: leads},
		{request: in("projectsV2(first:9){nodes{items(first:9){nodes{content{...on Issue{body}}}}}}"), want: leads},
		{request: in("aFieldOfTomorrow{description}"), want: leads},
		{request: document(`{organization(login:"acme"){repositories(first:9){nodes{description}}}}`), want: leads},
		{request: document(`{node(id:"` + idOf("O", 5001) + `"){...on Organization{` + rockets + `}}}`), want: leads, asks: true},
		{request: document(`{search(query:"acme",type:USER,first:9){nodes{...on Organization{` + rockets + `}}}}`), want: leads},
		{request: document(`{search(query:"secret",type:ISSUE,first:9){nodes{...on Issue{body}}}}`), want: leads},
		{request: document(`{search(query:"repo:acme/widgets OR secret",type:ISSUE_ADVANCED,first:9){nodes{...on Issue{body}}}}`), want: leads},
		{request: document(`{viewer{organizations(first:9){nodes{` + rockets + `}}}}`), want: leads},
		{request: document(`{topic(name:"x"){repositories(first:9){nodes{description}}}}`), want: leads},
		{request: document(`{relay{organization(login:"acme"){` + rockets + `}}}`), want: denied},
		{request: document(`{aRootOfTomorrow{description}}`), want: leads},

		// What is not read.
		{request: "GET /graphql?query={viewer{login}}", want: "403"},
		{request: "PUT /graphql\nContent-Type: application/json\n\n" + plain, want: "403"},
		{request: "PATCH /graphql\nContent-Type: application/json\n\n" + plain, want: "403"},

		// Ways to it that are no GraphQL.
		{request: "GET /repos/acme/widgets/compare/main...acme:rockets:main", want: denied},
		{request: "GET /repos/acme/widgets/compare/main...acme%3Arockets%3Amain", want: denied},
		{request: "GET /repos/acme/widgets/compare/globex:tools:main...main", want: "403 rule[2] denies this"},
		{request: "GET /repos/acme/widgets/compare/main...initech:main", want: unclear},
	})
}

// Somebody whom no limits bind is held by a rule all the same.
func TestAttackUnreadDocuments(t *testing.T) {
	w := start(t, func(s *setup) {
		s.options.Rules.Rules = []rules.Rule{{Repositories: repositories(t, "acme/rockets"), Deny: "rockets are secret"}}
	})
	const (
		unclear = "403 rule[1] looks at whom or what a request is about, and this one does not say so that it can be told"
		plain   = `{"query":"{viewer{login}}"}`
		typed   = "\nContent-Type: application/json"
	)
	for _, request := range []string{
		"GET /graphql?query={viewer{login}}",
		"PUT /graphql" + typed + "\n\n" + plain,
		"PATCH /graphql" + typed + "\n\n" + plain,
		"POST /graphql" + typed + "\nContent-Type: application/x-www-form-urlencoded\n\n" + plain,
		"POST /graphql" + typed + "\nContent-Type: application/json\n\n" + plain,
		"POST /graphql" + typed + "\nContent-Encoding: \nContent-Encoding: gzip\n\n" + plain,
		"POST /graphql" + typed + "\nContent-Encoding: gzip\n\n" + zip(t, plain),
		"POST /graphql\n\n" + plain,
		"POST /graphql?query={viewer{login}}" + typed + "\n\n" + plain,
	} {
		conn := w.intercepted(t, "api.github.com", nil)
		got := w.answerOf(t, conn, spell("api.github.com", request))
		conn.Close()
		if passed := len(w.github.Requests()); !strings.HasPrefix(got, unclear) || passed > 0 {
			t.Errorf("%q: %q and %d requests, want %q", request, got, passed, unclear)
		}
		w.github.Reset()
	}
}

// What REST refuses as administration, and what nobody knows, mutations do not do.
func TestAttackMutations(t *testing.T) {
	w := compromise(t, nil)
	id := idOf("R", 9001)
	run := func(mutation string) string {
		return document("mutation{x:" + mutation + `(input:{repositoryId:"` + id + `"}){clientMutationId}}`)
	}
	var attacks []attack
	for _, mutation := range []string{
		"updateTopics", "updateCheckSuitePreferences", "removeOutsideCollaborator", "createIssueType", "updateIssueType", "deleteIssueType", "acceptTopicSuggestion",
		"createRepositoryRuleset", "updateRepositoryRuleset", "setRepositoryCustomPropertyValues", "archiveRepository", "pinEnvironment", "createSponsorship",
		"updateNotificationRestrictionSetting", "removePullRequestCreationCapBypassUsers", "grantMigratorRole", "updateProjectV2Collaborators",
		"updateTeamsRepository", "regenerateEnterpriseIdentityProviderRecoveryCodes", "doWhatNobodyHasHeardOf",
	} {
		attacks = append(attacks, attack{request: run(mutation), want: `403 client agent may not run the mutation "` + mutation + `", which "admin" denies (client.agent.deny[1])`, asks: true})
	}
	w.attempts(t, append(attacks,
		attack{request: run("addComment"), want: "confined", asks: true},
		attack{request: document("{" + `enterprise(slug:"acme"){ownerInfo{samlIdentityProvider{recoveryCodes}}}}`), want: "403 client agent"},
		attack{request: document(`{repository(owner:"acme",name:"widgets"){owner{...on Enterprise{ownerInfo{samlIdentityProvider{recoveryCodes}}}}}}`), want: "403 client agent has limits, and may not select recoveryCodes, which is a credential"},
	))
}

// Limits of another kind do not let a mutation pass that nobody knows.
func TestAttackUnknownMutation(t *testing.T) {
	w := compromise(t, func(_ *setup, agent *policy.Client) { agent.Deny, agent.Push = nil, nil })
	w.attempts(t, []attack{
		{request: document(`mutation{doWhatNobodyHasHeardOf(input:{repositoryId:"` + idOf("R", 9001) + `"}){clientMutationId}}`), asks: true,
			want: `403 client agent has limits, and may not run the mutation "doWhatNobodyHasHeardOf", which is none of those known here (client.agent)`},
	})
}
