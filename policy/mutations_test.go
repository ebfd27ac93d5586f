package policy

import (
	"os"
	"strings"
	"testing"

	"ghapp-proxy/rules"
)

// TestMutationsAreClassified compares the table with GitHub's schema, and each
// mutation with the operation of REST that does the same.
func TestMutationsAreClassified(t *testing.T) {
	text, err := os.ReadFile("../github/graphql/testdata/mutations.txt")
	if err != nil {
		t.Fatal(err)
	}
	schema := 0
	for name := range strings.Lines(string(text)) {
		if name = strings.TrimSpace(name); name[0] != '#' {
			if schema++; !KnownMutation(name) {
				t.Errorf("mutations.txt lacks %s", name)
			}
		}
	}
	if schema < 240 {
		t.Fatalf("the schema has %d mutations", schema)
	}
	twins := 0
	for name, m := range mutations() {
		if m.twin == "-" || m.twin == "" {
			continue
		}
		twins++
		_, movesRef := refMoves[m.twin]
		switch {
		case !rules.KnownOperation(m.twin):
			t.Errorf("%s: GitHub has no operation %s", name, m.twin)
		case m.admin != isAdmin(m.twin):
			t.Errorf("%s: admin is %v, and of %s %v", name, m.admin, m.twin, isAdmin(m.twin))
		case m.refs != movesRef:
			t.Errorf("%s: refs is %v, and of %s %v", name, m.refs, m.twin, movesRef)
		}
	}
	if twins < 100 {
		t.Errorf("%d mutations are compared", twins)
	}
}

// TestAdministrationIsClassified: what by its name is about administration is
// tagged, or listed here as something else.
func TestAdministrationIsClassified(t *testing.T) {
	content := []string{
		"createTeamDiscussion", "createTeamDiscussionComment", "deleteTeamDiscussion", "deleteTeamDiscussionComment", "updateTeamDiscussion", "updateTeamDiscussionComment",
		"dismissRepositoryVulnerabilityAlert", "linkProjectV2ToRepository", "linkProjectV2ToTeam", "linkRepositoryToProject", "followOrganization", "unfollowOrganization",
		"unlinkProjectV2FromRepository", "unlinkProjectV2FromTeam", "unlinkRepositoryFromProject",
	}
	words := []string{
		"BranchProtection", "DeployKey", "Enterprise", "Environment", "IdentityProvider", "InteractionLimit", "IpAllowList", "Member", "Migrat", "Organization",
		"Repository", "Ruleset", "Setting", "Sponsors", "Team", "Topic", "VerifiableDomain", "Preferences", "Collaborator", "approveDeployments", "rejectDeployments",
		"IssueType", "CustomProperty", "Role", "Bypass",
	}
	listed := map[string]bool{"updateIssueIssueType": true} // gives an issue one of the types that there are
	for _, name := range content {
		listed[name] = true
	}
	for name, m := range mutations() {
		for _, word := range words {
			if strings.Contains(name, word) && !m.admin && !listed[name] {
				t.Errorf("%s is not tagged", name)
			}
		}
		if m.admin && listed[name] {
			t.Errorf("%s is tagged", name)
		}
	}
}
