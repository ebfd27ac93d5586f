package rules

import (
	"slices"

	"ghapp-proxy/github"
)

// What tests of the table see of it.

type OperationInfo struct {
	ID, Editions                           string
	Credential                             Credential
	UserOnly, HandsOut, Revoke, CloneToken bool
}

func Operations() []OperationInfo {
	var all []OperationInfo
	for _, op := range operations().byID {
		info := OperationInfo{op.id, "", op.credential, op.userOnly, op.handsOut, op.revoke, op.cloneToken}
		for i, name := range []string{"github.com ", "Enterprise Cloud ", "Enterprise Server "} {
			if op.editions&(1<<i) != 0 {
				info.Editions += name
			}
		}
		all = append(all, info)
	}
	return all
}

// FindOperation returns an operationId, "" if none is known.
func FindOperation(req Request) string {
	op, _ := operations().find(req.Method, github.SplitPath(req.Path).Text, editionsOf(req.Host))
	if op == nil {
		return ""
	}
	return op.id
}

// BodyField reports whether a field of an operation's body is looked at.
func BodyField(operation, field string) bool {
	return slices.ContainsFunc(bodyFields()[operation], func(f bodyField) bool { return f.name == field })
}

func ParseTable() { parseTable(operationsText) }

// WalkTable calls visit for each node of the table.
func WalkTable(visit func(words []string, afterMany bool, depth int)) {
	var walk func(n *pathNode, afterMany bool)
	walk = func(n *pathNode, afterMany bool) {
		var words []string
		for word, next := range n.words {
			words = append(words, word)
			walk(next, false)
		}
		visit(words, afterMany, n.depth)
		for _, next := range []*pathNode{n.ranges, n.one} {
			if next != nil {
				walk(next, false)
			}
		}
		if n.many != nil {
			walk(n.many, true)
		}
	}
	walk(operations().root, false)
}

const (
	MaxWord = maxWord
	MaxTail = maxTail
)
