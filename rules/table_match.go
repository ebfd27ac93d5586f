package rules

import (
	"bytes"
	"strings"

	"ghapp-proxy/github"
)

// pathNode is a place in the tree of path patterns. Its children are tried in
// the order of the fields: what a pattern spells out beats what it leaves open.
type pathNode struct {
	words  map[string]*pathNode // literal segment, in lower case → child
	ranges *pathNode            // {base}...{head}
	one    *pathNode            // a parameter
	many   *pathNode            // a parameter that may contain slashes
	digits bool                 // the parameter is a number

	ops   [methods]*restOperation // by methodIndex
	depth int                     // segments of the longest pattern below
}

// methods is how many methods operations have.
const methods = 5

// maxWord bounds the words of the table: no longer segment is one of them.
const maxWord = 64

// maxTail bounds the segments that follow a parameter with slashes.
const maxTail = 4

// methodIndex returns the place of a method in pathNode.ops, -1 for one that no
// operation has. What answers GET answers HEAD. Methods are case-sensitive
// (RFC 9110, section 9.1), but servers are known to forget it.
func methodIndex(method string) int {
	switch {
	case strings.EqualFold(method, "GET"), strings.EqualFold(method, "HEAD"):
		return 0
	case strings.EqualFold(method, "POST"):
		return 1
	case strings.EqualFold(method, "PATCH"):
		return 2
	case strings.EqualFold(method, "PUT"):
		return 3
	case strings.EqualFold(method, "DELETE"):
		return 4
	}
	return -1
}

// child returns the child for a segment of a pattern, made if need be.
func (n *pathNode) child(segment string) *pathNode {
	at := &n.one
	switch {
	case segment[0] != '{':
		return n.word(strings.ToLower(segment))
	case strings.HasSuffix(segment, "...}"):
		at = &n.many
	case strings.Contains(segment, "}...{"):
		at = &n.ranges
	}
	if *at == nil {
		*at = &pathNode{}
	}
	return *at
}

func (n *pathNode) word(word string) *pathNode {
	if n.words == nil {
		n.words = map[string]*pathNode{}
	}
	next := n.words[word]
	if next == nil {
		next = &pathNode{}
		n.words[word] = next
	}
	return next
}

// below returns the node of a pattern's beginning, made if need be.
func (n *pathNode) below(segments ...string) *pathNode {
	for _, s := range segments {
		n = n.child(s)
	}
	return n
}

// measure fills in the depths.
func (n *pathNode) measure() int {
	for _, next := range n.words {
		n.depth = max(n.depth, 1+next.measure())
	}
	for _, next := range []*pathNode{n.ranges, n.one, n.many} {
		if next != nil {
			n.depth = max(n.depth, 1+next.measure())
		}
	}
	return n.depth
}

// find returns the operation that a request is, nil if none is known, and
// whether the path is one of GitHub's aliases, which stand in Link and Location
// headers: /repositories/{id}/… for /repos/{owner}/{repo}/…,
// /organizations/{id}/… for /orgs/{org}/… and /user/{id}/… for
// /users/{username}/….
//
// The path is as sent, each segment with the slash before it. find allocates
// nothing, and takes time in proportion to the length of the path.
func (t *operationTable) find(method, path string, e editions) (op *restOperation, alias bool) {
	q := query{method: methodIndex(method), editions: e}
	if q.method < 0 {
		return nil, false
	}
	if op, alias = t.lookup(path, q); op == nil {
		q.short = true
		op, alias = t.lookup(path, q)
	}
	return op, alias
}

// lookup looks under the path and then under what it is an alias of.
func (t *operationTable) lookup(path string, q query) (op *restOperation, alias bool) {
	if op = t.root.match(path, q); op != nil {
		return op, false
	}
	first, rest := github.CutSegment(path)
	id, rest := github.CutSegment(rest)
	switch {
	case id == "":
		return nil, false
	case isWord(first, "repositories"):
		op = t.repository.match(rest, q)
	case isWord(first, "organizations"):
		op = t.organization.match(rest, q)
	case isWord(first, "user") && isNumber(id):
		op = t.user.match(rest, q)
	}
	return op, op != nil
}

// query is what is looked for besides a path.
type query struct {
	method   int
	editions editions
	// short finds an operation whose path ends with a parameter with slashes
	// where that is left out: GitHub then takes the root directory or the
	// default branch (docs.github.com, "Get repository content" and "Download a
	// repository archive").
	short bool
}

// at returns the operation whose pattern ends at n.
func (q query) at(n *pathNode) *restOperation {
	if op := n.ops[q.method]; op != nil && op.in(q.editions) {
		return op
	}
	return nil
}

// match returns the operation of the rest of a path. It goes back where a word
// leads nowhere that a parameter would have led: DELETE …/releases/latest
// deletes a release whose id is none. The tree is ten deep and a path through
// it rarely forks, so this is quick whatever the path.
func (n *pathNode) match(path string, q query) *restOperation {
	if path == "" {
		return n.end(q)
	}
	segment, rest := github.CutSegment(path)
	if next := n.literal(segment); next != nil {
		if op := next.match(rest, q); op != nil {
			return op
		}
	}
	if n.ranges != nil && isRange(segment) {
		if op := n.ranges.match(rest, q); op != nil {
			return op
		}
	}
	if n.one != nil && segment != "" && (!n.digits || isNumber(segment)) {
		if op := n.one.match(rest, q); op != nil {
			return op
		}
	}
	if n.many != nil {
		return n.many.matchSpan(path, q)
	}
	return nil
}

// end returns the operation of a path that ends at n.
func (n *pathNode) end(q query) *restOperation {
	if op := q.at(n); op != nil || n.many == nil || !q.short {
		return op
	}
	return q.at(n.many)
}

// matchSpan returns the operation of a path that begins with the value of a
// parameter with slashes, after which n comes. What the patterns below n spell
// out is sought at the end of the path, the longest first.
func (n *pathNode) matchSpan(path string, q query) *restOperation {
	if path == "/" {
		return nil // no value
	}
	var tails [maxTail]int
	found := 0
	for i := len(path); found < min(n.depth, maxTail); found++ {
		if i = strings.LastIndexByte(path[:i], '/'); i < 2 {
			break // nothing is left for the value
		}
		tails[found] = i
	}
	for ; found > 0; found-- {
		if op := n.match(path[tails[found-1]:], q); op != nil {
			return op
		}
	}
	return q.at(n)
}

// literal returns the child whose word the segment is, whatever its escaping
// and case: a spelling that might reach a guarded operation must be recognised
// as that operation.
func (n *pathNode) literal(segment string) *pathNode {
	if n.words == nil {
		return nil
	}
	var buf [maxWord]byte
	size := fold(&buf, segment)
	if size < 0 {
		return nil
	}
	return n.words[string(buf[:size])]
}

// isWord reports whether a segment is a word of the table.
func isWord(segment, word string) bool {
	var buf [maxWord]byte
	size := fold(&buf, segment)
	return size >= 0 && string(buf[:size]) == word
}

// fold puts a segment into buf, unescaped once and in lower case, and returns
// its length, or -1 if that is longer than any word.
func fold(buf *[maxWord]byte, segment string) int {
	size := 0
	for i := 0; i < len(segment); size++ {
		if size == len(buf) {
			return -1
		}
		c, width := github.ByteAt(segment, i)
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[size] = c
		i += width
	}
	return foldLetters(buf, size)
}

var kelvin, longS = []byte("\u212a"), []byte("\u017f")

// foldLetters replaces the two letters beyond ASCII that strings.EqualFold
// takes for ASCII ones, and returns the new length.
func foldLetters(buf *[maxWord]byte, size int) int {
	s := buf[:size]
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] < 0x80:
		case bytes.HasPrefix(s[i:], kelvin):
			s[i] = 'k'
			s = append(s[:i+1], s[i+len(kelvin):]...)
		case bytes.HasPrefix(s[i:], longS):
			s[i] = 's'
			s = append(s[:i+1], s[i+len(longS):]...)
		}
	}
	return len(s)
}

// isRange reports whether a segment has the form {base}...{head}.
func isRange(segment string) bool {
	length, dots := 0, 0 // of what was read, and of the dots at its end
	for i := 0; i < len(segment); length++ {
		c, width := github.ByteAt(segment, i)
		i += width
		if c != '.' {
			dots = 0
		} else if dots++; dots >= 3 && length >= 3 && i < len(segment) {
			return true
		}
	}
	return false
}

// isNumber reports whether a segment is a decimal number.
func isNumber(segment string) bool {
	for i := 0; i < len(segment); {
		c, width := github.ByteAt(segment, i)
		if c < '0' || c > '9' {
			return false
		}
		i += width
	}
	return segment != ""
}

// operationTable finds operations.
type operationTable struct {
	root *pathNode
	byID map[string]*restOperation // operationId → operation

	// Where GitHub's aliases by numeric id continue.
	repository, organization, user *pathNode
}
