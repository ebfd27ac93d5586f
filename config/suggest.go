package config

import (
	"slices"
	"strconv"
	"strings"
)

// closest returns the candidates that key is probably a misspelling of, the
// best ones only: those with the fewest edits, two at most, or else those that
// begin with key or that key begins with. Case, - and _ count for nothing.
func closest(key string, candidates []string) []string {
	plain := strings.NewReplacer("-", "", "_", "")
	fold := func(s string) string { return plain.Replace(strings.ToLower(s)) }
	k := fold(key)
	if len(k) < 2 || len(k) > 64 {
		return nil
	}
	best := min(3, len(k)) // edits that are too many
	var near, prefixed []string
	for _, candidate := range candidates {
		c := fold(candidate)
		if d := distance(k, c); d < best {
			best, near = d, []string{candidate}
		} else if d == best && near != nil {
			near = append(near, candidate)
		}
		if min(len(k), len(c)) > 2 && (strings.HasPrefix(k, c) || strings.HasPrefix(c, k)) {
			prefixed = append(prefixed, candidate)
		}
	}
	if near == nil {
		return prefixed
	}
	return near
}

// distance is the Levenshtein distance of two ASCII strings.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// orList quotes words and joins them: "a", "b" or "c".
func orList(words []string) string {
	quoted := slices.Clone(words)
	for i, w := range quoted {
		quoted[i] = strconv.Quote(w)
	}
	last := len(quoted) - 1
	if last == 0 {
		return quoted[0]
	}
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}
