package proxy_test

import (
	"strings"
	"testing"
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
