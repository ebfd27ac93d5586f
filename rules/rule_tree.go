package rules

import (
	"unicode"
	"unicode/utf8"

	"ghapp-proxy/github"
)

// patternNode is a tree of patterns, by segments. It finds those that Pattern.match
// says match.
type patternNode struct {
	words map[string]*patternNode // folded
	any   *patternNode
	ends  []int32 // patterns that end here
	rests []int32 // and those that end here with "**"
}

func (n *patternNode) isEmpty() bool {
	return n.words == nil && n.any == nil && len(n.ends) == 0 && len(n.rests) == 0
}

// add files a rule under a pattern.
func (n *patternNode) add(p Pattern, rule int32) {
	for _, part := range p.parts {
		n = n.next(part)
	}
	if p.rest {
		n.rests = append(n.rests, rule)
	} else {
		n.ends = append(n.ends, rule)
	}
}

// next is the node of one more segment.
func (n *patternNode) next(p part) *patternNode {
	if p.any {
		if n.any == nil {
			n.any = new(patternNode)
		}
		return n.any
	}
	if n.words == nil {
		n.words = make(map[string]*patternNode)
	}
	word := string(appendFolded(nil, p.word))
	next, ok := n.words[word]
	if !ok {
		next = new(patternNode)
		n.words[word] = next
	}
	return next
}

// find appends the rules of the patterns that match a path.
func (n *patternNode) find(path string, found []int32) []int32 {
	found = append(found, n.rests...)
	segment, rest, more := cut(path)
	if !more {
		return append(found, n.ends...)
	}
	if n.any != nil {
		found = n.any.find(rest, found)
	}
	if len(n.words) == 0 {
		return found
	}
	var buffer [64]byte
	if next, ok := n.words[string(appendFolded(buffer[:0], github.Unescape(segment)))]; ok {
		found = next.find(rest, found)
	}
	return found
}

// shape is the same for patterns that match the same paths.
func (p Pattern) shape() string {
	var b []byte
	for _, part := range p.parts {
		b = append(b, '/')
		if part.any {
			b = append(b, '*')
		} else {
			b = appendFolded(b, part.word)
		}
	}
	if p.rest {
		b = append(b, "/**"...)
	}
	return string(b)
}

// appendFolded appends s so that two strings give the same if strings.EqualFold says
// that they are.
func appendFolded(b []byte, s string) []byte {
	for _, r := range s {
		if r < utf8.RuneSelf {
			b = append(b, lower(byte(r)))
			continue
		}
		least := r
		for same := unicode.SimpleFold(r); same != r; same = unicode.SimpleFold(same) {
			least = min(least, same)
		}
		if least < utf8.RuneSelf {
			b = append(b, lower(byte(least)))
			continue
		}
		b = utf8.AppendRune(b, least)
	}
	return b
}
