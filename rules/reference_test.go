package rules_test

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// described is an operation as GitHub's OpenAPI descriptions have it. The
// reference reads them by itself and matches them one after the other, so that
// the table and its tree are checked against something that is neither.
type described struct {
	edition, method, id string
	pattern             []string
	multi               []string // names of parameters that may contain slashes
	kinds               []byte   // of the pattern's segments
	mentions            []string // properties of its answers that tell of repositories
	redirects           bool     // an answer is a link
	body                []string // fields that might name somebody
}

var descriptions = sync.OnceValue(func() []described {
	f, err := os.Open("testdata/descriptions.json.gz")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		panic(err)
	}
	var editions map[string]map[string]map[string]struct {
		OperationID string   `json:"operationId"`
		Multi       []string `json:"x-multi-segment"`
		Mentions    []string `json:"mentions"`
		Redirects   bool     `json:"redirects"`
		Body        []string `json:"body"`
	}
	if err := json.NewDecoder(zr).Decode(&editions); err != nil {
		panic(err)
	}
	var all []described
	for edition, paths := range editions {
		for path, item := range paths {
			for method, op := range item {
				d := described{edition, method, op.OperationID, segmentsOf(path), op.Multi, nil, op.Mentions, op.Redirects, op.Body}
				for _, s := range d.pattern {
					d.kinds = append(d.kinds, d.kind(s))
				}
				all = append(all, d)
			}
		}
	}
	slices.SortFunc(all, func(a, b described) int {
		return strings.Compare(a.edition+a.method+strings.Join(a.pattern, "/"), b.edition+b.method+strings.Join(b.pattern, "/"))
	})
	return all
})

func segmentsOf(path string) []string {
	if path = strings.TrimSuffix(path, "/"); path == "" {
		return nil
	}
	return strings.Split(path[1:], "/")
}

// The kinds of a pattern's segments, the more definite first.
const (
	isLiteral = '0' + iota
	isRange   // {base}...{head}
	isOne
	isMany
	isEnd
	isLeftOut // comes first if the path has nothing of a last parameter with slashes
)

func (op *described) kind(segment string) byte {
	switch {
	case segment[0] != '{':
		return isLiteral
	case strings.Contains(segment, "}...{"):
		return isRange
	case slices.Contains(op.multi, strings.Trim(segment, "{}")):
		return isMany
	}
	return isOne
}

// rank returns the kinds of the pattern's segments, "" if the path does not
// match. Of several operations that of the lowest rank is meant.
func (op *described) rank(path []string) string {
	kinds := op.kinds
	last := len(kinds) - 1
	if last >= 0 && kinds[last] == isMany && len(path) == last && accepts(op.pattern[:last], kinds[:last], path) {
		return string(append([]byte{isLeftOut}, kinds...))
	}
	if !accepts(op.pattern, kinds, path) || last > 0 && op.pattern[0] == "user" && kinds[1] == isOne && strings.Trim(path[1], "0123456789") != "" {
		return ""
	}
	return string(kinds) + string(rune(isEnd))
}

func accepts(pattern []string, kinds []byte, path []string) bool {
	if len(pattern) == 0 {
		return len(path) == 0
	}
	if len(path) == 0 {
		return false
	}
	switch kinds[0] {
	case isLiteral:
		if !strings.EqualFold(pattern[0], path[0]) {
			return false
		}
	case isRange:
		if i := strings.Index(path[0][min(1, len(path[0])):], "..."); i < 0 || 1+i+3 >= len(path[0]) {
			return false
		}
	case isOne:
		if path[0] == "" {
			return false
		}
	case isMany:
		for n := 1; n <= len(path); n++ {
			if strings.Join(path[:n], "/") != "" && accepts(pattern[1:], kinds[1:], path[n:]) {
				return true
			}
		}
		return false
	}
	return accepts(pattern[1:], kinds[1:], path[1:])
}

// plain undoes the escaping of each segment, but for slashes.
func plain(segments []string) []string {
	out := slices.Clone(segments)
	for i, s := range out {
		for j := 0; j+2 < len(s); j++ {
			const digits = "0123456789abcdef"
			if s[j] != '%' {
				continue
			}
			high := strings.IndexByte(digits, s[j+1]|0x20)
			low := strings.IndexByte(digits, s[j+2]|0x20)
			if high >= 0 && low >= 0 && (s[j+1] >= '0') && (s[j+2] >= '0') {
				s = s[:j] + string([]byte{byte(high<<4 | low)}) + s[j+3:]
			}
		}
		out[i] = s
	}
	return out
}

// reference returns the operation that a request is, nil if the descriptions
// know none, and the pattern's beginning that an alias by id stands for.
func reference(method, path string, editions ...string) (op *described, alias bool) {
	if method == "HEAD" {
		method = "GET"
	}
	segments := plain(segmentsOf(path))
	if op := direct(method, segments, editions); op != nil {
		return op, false
	}
	if len(segments) < 2 || segments[1] == "" {
		return nil, false
	}
	switch id := segments[1]; {
	case strings.EqualFold(segments[0], "repositories"):
		segments = append([]string{"repos", "o", "r"}, segments[2:]...)
	case strings.EqualFold(segments[0], "organizations"):
		segments = append([]string{"orgs", "o"}, segments[2:]...)
	case strings.EqualFold(segments[0], "user") && strings.Trim(id, "0123456789") == "":
		segments = append([]string{"users", "u"}, segments[2:]...)
	default:
		return nil, false
	}
	op = direct(method, segments, editions)
	return op, op != nil
}

func direct(method string, path []string, editions []string) (best *described) {
	var least string
	first := ""
	if len(path) > 0 {
		first = path[0]
	}
	for _, op := range candidates(method, editions, first) {
		if rank := op.rank(path); rank != "" && (best == nil || rank < least) {
			best, least = op, rank
		}
	}
	return best
}

var (
	byFirst   = map[string][]*described{} // method, edition, first segment → operations
	byFirstMu sync.Mutex
)

// candidates are the operations of a method and of one of the editions, or
// guarded, that begin with a segment.
func candidates(method string, editions []string, first string) []*described {
	byFirstMu.Lock()
	defer byFirstMu.Unlock()
	key := method + " " + strings.Join(editions, "+") + " " + first
	if list, ok := byFirst[key]; ok {
		return list
	}
	list, seen := []*described{}, map[string]bool{}
	all := descriptions()
	for i := range all {
		op := &all[i]
		if op.method != method || !slices.Contains(editions, op.edition) && !guardedIDs[op.id] || seen[op.id] {
			continue
		}
		if len(op.pattern) == 0 && first == "" || len(op.pattern) > 0 && strings.EqualFold(op.pattern[0], first) {
			seen[op.id] = true
			list = append(list, op)
		}
	}
	if len(byFirst) < 1000 { // a fuzzer invents segments without end
		byFirst[key] = list
	}
	return list
}

func TestReference(t *testing.T) {
	for in, want := range map[string]string{
		"GET /repos/o/r/releases/latest":                 "repos/get-latest-release",
		"GET /repos/o/r/releases/7":                      "repos/get-release",
		"DELETE /repos/o/r/releases/latest":              "repos/delete-release",
		"GET /repos/o/r/contents/docs/installation":      "repos/get-content",
		"GET /repos/o/r/contents":                        "repos/get-content",
		"GET /repos/o/r/tarball":                         "repos/download-tarball-archive",
		"GET /repos/o/r/commits":                         "repos/list-commits",
		"GET /repos/o/r/compare/a...b":                   "repos/compare-commits",
		"GET /repos/o/r/compare/x/a...b":                 "repos/compare-commits-with-basehead",
		"GET /repos/o/r/branches/a/b/protection":         "repos/get-branch-protection",
		"GET /repos/o/r/branches/protection/protection":  "repos/get-branch-protection",
		"GET /repos/o/r/branches/protection":             "repos/get-branch",
		"GET /repos/o/r/commits/a/status/status":         "repos/get-combined-status-for-ref",
		"POST /orgs/o/dependency_graph/enable_all":       "orgs/enable-or-disable-security-product-on-all-org-repos",
		"GET /repositories/1/installation":               "apps/get-repo-installation",
		"GET /organizations/1/settings/billing/usage":    "billing/get-github-billing-usage-report-org",
		"GET /organizations/1/actions/runners/downloads": "actions/list-runner-applications-for-org",
		"GET /user/1/repos":                              "repos/list-for-user",
		"GET /user/x/repos":                              "",
		"GET /repos/o/r/nothing":                         "",
		"POST /app/installations/1/%61ccess_tokens":      "apps/create-installation-access-token",
	} {
		method, path, _ := strings.Cut(in, " ")
		got := ""
		if op, _ := reference(method, path, "github.com", "Enterprise Cloud"); op != nil {
			got = op.id
		}
		if got != want {
			t.Errorf("reference(%q) = %q, want %q", in, got, want)
		}
	}
}
