package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// readReach reads reach.txt: operationId → mark.
func readReach(name string) (map[string]string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	list := map[string]string{}
	for l := range strings.Lines(string(text)) {
		words := strings.Fields(l)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		for _, id := range words[1:] {
			if list[id] != "" {
				return nil, fmt.Errorf("%s: %s is there twice", name, id)
			}
			list[id] = words[0]
		}
	}
	return list, nil
}

// reachFlags are the marks of reach.txt in operations.txt.
var reachFlags = map[string]string{"=": "", "+": "owners", "!": "any"}

// reach returns the flag that tells how far an operation's answer leads.
func (t *table) reach(op operation) string {
	flag := ""
	if tellsOfRepositories(op) {
		flag = byPath(op.path)
	}
	mark, listed := t.reaches[op.id]
	if !listed {
		return flag
	}
	if reachFlags[mark] != flag {
		t.differs[op.id] = true
	}
	return reachFlags[mark]
}

// farther returns the one of two flags that leads farther.
func farther(a, b string) string {
	if a == "any" || b == "" {
		return a
	}
	return b
}

// checkReach says what in reach.txt is as the descriptions have it anyway, or is
// no operation.
func (t *table) checkReach() error {
	for _, id := range slices.Sorted(maps.Keys(t.reaches)) {
		if !t.differs[id] {
			return fmt.Errorf("reach.txt: leave out %s: no description has it, or they all say so", id)
		}
	}
	return nil
}

var (
	ofRepository = regexp.MustCompile(`^(/agents)?/repos/\{`)
	ofOwner      = regexp.MustCompile(`^/(orgs|organizations|teams)/\{`)
)

func byPath(path string) string {
	if ofOwner.MatchString(path) {
		return "owners"
	}
	return "any"
}

// tellsOfRepositories reports whether an answer may have names or contents of
// repositories: a property says so, or nothing is said, or it is a link, or a
// word of the path or a parameter says so.
func tellsOfRepositories(op operation) bool {
	if len(op.mentions) > 0 || op.redirects {
		return true
	}
	if op.method != "GET" || ofRepository.MatchString(op.path) {
		return false
	}
	for segment := range strings.SplitSeq(op.path, "/") {
		if !strings.HasPrefix(segment, "{") && strings.Contains(segment, "repo") && !strings.HasPrefix(segment, "report") {
			return true
		}
	}
	return slices.Contains(op.query, "repository_id")
}

// describeAnswer fills in what the answers of an operation say.
func (op *operation) describeAnswer(doc object) {
	found := map[string]bool{}
	for code, response := range op.responses.(object) {
		switch {
		case code == "302":
			op.redirects = true
		case code[0] == '2':
			mentions(doc, response, found)
		}
	}
	op.mentions = slices.Sorted(maps.Keys(found))
}

// mentions collects the names of properties that tell of repositories, and "*"
// for an object that may have any.
func mentions(doc object, v any, found map[string]bool) {
	for part := range schemas(doc, v) {
		if saysNothing(part) {
			found["*"] = true
		}
		properties, _ := part["properties"].(object)
		for name, schema := range properties {
			schema, _ := schema.(object)
			if isMention(name, resolve(doc, schema)["type"]) {
				found[name] = true
			}
		}
	}
}

func isMention(name string, typ any) bool {
	switch {
	case typ == "boolean", typ == "integer" && !strings.HasSuffix(name, "repository_id"):
		return false
	case name == "full_name":
		return true
	}
	return strings.Contains(name, "repo") && !slices.Contains(noMentions, name)
}

// noMentions are properties that name no repository: links to listings, settings,
// permissions, and reports.
var noMentions = strings.Fields(`
	accessible_repositories_url current_user_repositories_url organization_repositories_url repos_url repositories_url
	repository_search_url selected_repositories_url user_repositories_url
	default_for_new_repos default_repository_branch default_repository_permission enabled_repositories enforced_repositories
	members_allowed_repository_creation_type percentage_of_repos_using_actions private_vulnerability_reporting repository_selection
	enterprise_organization_installation_repositories repository_custom_properties repository_hooks repository_projects
	repository_discussions repository_discussions_category repository_discussions_category_url repository_discussions_url
	report_day report_end_day report_start_day report_type usage_report_exports`)
