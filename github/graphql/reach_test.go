package graphql

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/github"
)

// TestReachOfClients: what tools ask of a repository stays with it.
func TestReachOfClients(t *testing.T) {
	files, err := filepath.Glob("testdata/requests/*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	want := map[string]github.Reach{"gh-repo-list": github.ReachOwners, "gh-status": github.ReachAny}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		document, err := readEachWay(t, text)
		if name := strings.TrimSuffix(filepath.Base(file), ".json"); err != nil || document.Reach != want[name] {
			t.Errorf("%s: reach %d, %v, want %d", name, document.Reach, err, want[name])
		}
	}
}

func TestReach(t *testing.T) {
	in := func(selection string) string { return `{repository(owner:"acme",name:"widgets"){` + selection + `}}` }
	for reach, queries := range map[github.Reach][]string{
		github.ReachNamed: {
			in(`id issues(first:1){nodes{title body comments(first:1){nodes{body author{login avatarUrl(size:1) ...on User{bio}}}}}}`),
			in(`owner{login id} parent{name owner{login} isPrivate defaultBranchRef{name target{oid}}}`),
			in(`pullRequest(number:1){title headRepository{id name nameWithOwner} headRepositoryOwner{login ...on User{name}} closingIssuesReferences(first:9){nodes{number url repository{name owner{login}}}}}`),
			in(`object(expression:"main:"){...on Tree{entries{name object{...on Blob{text}}}}} issue(number:1){repository{issue(number:2){body}}}`),
			in(`forks(first:1){totalCount pageInfo{hasNextPage}} primaryLanguage{name} licenseInfo{name}`),
			`{organization(login:"acme"){repository(name:"widgets"){description}}}`,
			`{organization(login:"acme"){membersWithRole(first:1){nodes{login}} teams(first:1){nodes{name}}}}`,
			`{viewer{login} rateLimit{remaining} __schema{types{name kind}}}`,
			`{search(query:"repo:acme/widgets is:pr label:\"good first\"",type:ISSUE,first:1){issueCount nodes{...on Issue{body}}}}`,
			`{node(id:"R_kgDNIyk"){...on Repository{description issues(first:1){totalCount nodes{body}}}}}`,
			`{relay{repository(owner:"acme",name:"widgets"){description}}}`,
			`mutation{addComment(input:{subjectId:"R_kgDNIyk",body:"x"}){commentEdge{node{body url}} subject{...on Issue{title}}}}`,
			in(`futureLeaf`),
			`{organization(login:"acme"){repositories(first:9){totalCount}}}`,
			`{search(query:"x",type:USER,first:9){nodes{...on User{login}}}}`,
			in(`issue(number:1){parent{number repository{nameWithOwner}} closedByPullRequestsReferences(first:1){nodes{number repository{name}}}}`),
			`{user(login:"octocat"){followers(first:9){nodes{login}} organizations(first:9){nodes{login name}}}}`,
			in(`assignableUsers(first:9){nodes{login name} totalCount} issue(number:1){participants(first:9){nodes{login}}}`),
		},
		github.ReachOwners: {
			in(`owner{repository(name:"rockets"){description}}`),
			in(`owner{...on Organization{repositories(first:9){nodes{description}}}}`),
			in(`owner{...F}`) + ` fragment F on Organization{repository(name:"rockets"){object(expression:"main:x"){...on Blob{text}}}}`,
			`{organization(login:"acme"){repositories(first:9){nodes{name description}}}}`,
			`{organization(login:"acme"){teams(first:1){nodes{repositories(first:9){edges{permission node{description}}}}}}}`,
			`{node(id:"O_kgDNE4k"){...on Organization{repository(name:"rockets"){description}}}}`,
			`{user(login:"octocat"){repositories(first:9,ownerAffiliations:OWNER){nodes{description}}}}`,
			`{search(query:"org:acme x",type:ISSUE,first:1){nodes{...on Issue{body}}}}`,
			in(`owner{createdAt}`),
			`{organization(login:"acme"){repositories(first:9){nodes{name}}}}`,
			`{organization(login:"acme"){repositories(first:9){nodes{defaultBranchRef{target{oid}}}}}}`,
			`{organization(login:"acme"){repositories(first:9){edges{node{...on Repository{id}}}}}}`,
			`{organization(login:"acme"){repositories(first:9){...F}}} fragment F on RepositoryConnection{nodes{url}}`,
			`{organization(login:"acme"){teams(first:1){nodes{repositories(first:9){nodes{name}}}}}}`,
			in(`owner{repository(name:"rockets"){name isPrivate}}`),
		},
		github.ReachAny: {
			`{search(query:"x",type:USER,first:9){nodes{...on Organization{repository(name:"rockets"){description}}}}}`,
			`{search(query:"repo:acme/widgets OR x",type:ISSUE,first:9){nodes{...on Issue{body}}}}`,
			`{search(query:"repo:acme/* x",type:ISSUE,first:9){nodes{...on Issue{body}}}}`,
			`{search(query:"\"repo:acme/widgets",type:ISSUE,first:9){nodes{...on Issue{body}}}}`,
			`{viewer{organizations(first:9){nodes{repository(name:"x"){description}}}}}`,
			`{user(login:"octocat"){repositories(first:9){nodes{description}}}}`,
			in(`issue(number:1){author{...on User{repository(name:"x"){description}}}}`),
			in(`issue(number:1){author{...on Organization{repositories(first:1){nodes{description}}}}}`),
			in(`issue(number:1){parent{body}}`),
			in(`issue(number:1){subIssues(first:1){nodes{title}}}`),
			in(`issue(number:1){timelineItems(first:9){nodes{...on CrossReferencedEvent{source{...on Issue{body}}}}}}`),
			in(`pullRequest(number:1){headRepository{object(expression:"main:x"){...on Blob{text}}}}`),
			in(`pullRequest(number:1){headRef{target{...on Commit{message}}}}`),
			in(`parent{issues(first:1){nodes{number}}}`), in(`forks(first:1){nodes{owner{...on User{repositories(first:1){nodes{description}}}}}}`),
			in(`parent{owner{...on Organization{repository(name:"x"){description}}}}`),
			`{search(query:"repo:acme/widgets",type:USER,first:1){nodes{...on User{repository(name:"x"){description}}}}}`,
			in(`stargazers(first:1){nodes{starredRepositories(first:1){nodes{description}}}}`),
			in(`projectsV2(first:1){nodes{items(first:1){nodes{content{...on Issue{body}}}}}}`),
			in(`futureField{body}`), in(`issue(number:1){futureField{futureField{title}}}`),
			in(`forks(first:9){nodes{nameWithOwner}}`), in(`assignableUsers(first:1){nodes{repository(name:"x"){name defaultBranchRef{target{oid}}}}}`),
			in(`issue(number:1){assignees(first:1){nodes{repository(name:"x"){id}}}}`), in(`issue(number:1){participants(first:1){nodes{repositories(first:1,ownerAffiliations:OWNER){nodes{name}}}}}`),
			`{viewer{repositories(first:9){nodes{nameWithOwner}}}}`, `{user(login:"octocat"){pullRequests(first:9){nodes{number repository{nameWithOwner}}}}}`,
			`{user(login:"octocat"){contributionsCollection{commitContributionsByRepository{repository{nameWithOwner}}}}}`,
			`{search(query:"x",type:REPOSITORY,first:9){nodes{...on Repository{nameWithOwner}}}}`, `{search(query:"x",type:ISSUE,first:9){nodes{...on Issue{number}}}}`,
			`query($t:SearchType!){search(query:"x",type:$t,first:9){nodes{...on Repository{name}}}}`,
			`{topic(name:"x"){repositories(first:1){nodes{description}}}}`,
			`{futureRoot(x:1){description}}`,
			`mutation{addComment(input:{subjectId:"R_kgDNIyk",body:"x"}){subject{...on Issue{author{...on User{repositories(first:1){nodes{description}}}}}}}}`,
		},
	} {
		for _, query := range queries {
			document, err := readEachWay(t, body(query, ""))
			if err != nil || document.Reach != reach {
				t.Errorf("%s: reach %d, %v, want %d", query, document.Reach, err, reach)
			}
		}
	}
}

// TestLeads reads the table: whatever leads to a repository or an account stays
// only where it is the very one that is meant.
func TestLeads(t *testing.T) {
	same := []string{
		"Query.repository", "Query.organization", "Query.repositoryOwner", "Query.user", "Query.viewer", "Query.enterprise", "Query.node", "Query.nodes",
		"Query.resource", "PullRequest.baseRepository", "Team.organization",
	}
	repositories, types := 0, leads()
	for typ, fields := range types {
		for field, next := range fields {
			if _, ok := types[next.to]; !ok && next.to != "" && next.to != "Bot" {
				t.Errorf("%s.%s leads to %s, which the table does not have", typ, field, next.to)
			}
			switch next.to {
			case "Repository", "RepositoryConnection":
				repositories++
			case "Organization", "RepositoryOwner", "User", "Enterprise", "Actor", "Node", "OrganizationConnection", "Gist":
			default:
				continue
			}
			if name := typ + "." + field; next.reach == github.ReachNamed && field != "repository" && !slices.Contains(same, name) && !strings.HasSuffix(typ, "Payload") && !strings.HasSuffix(typ, "Edge") && !strings.HasSuffix(typ, "Connection") {
				t.Errorf("%s leads to %s, and is taken to stay", name, next.to)
			}
		}
	}
	if len(types) < 800 || repositories < 50 {
		t.Errorf("the table has %d types, and %d fields that lead to repositories", len(types), repositories)
	}
}
