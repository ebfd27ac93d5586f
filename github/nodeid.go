package github

import (
	"encoding/base64"
	"strings"
)

// maxNodeID is the longest node id that is read: a Ref's contains the name of
// the branch, of which git allows 255 bytes.
const maxNodeID = 512

// IDKind is what sort of thing a node id belongs to.
type IDKind uint8

const (
	UnknownID    IDKind = iota
	RepositoryID        // a repository, or something in one
	AccountID           // an organization, or something of an account
	PersonID            // a user: mostly not the owner of what the id is used for
)

// newIDs says what the second element of a new id is, by the id's prefix: the
// number of a repository or an account. O, R and U carry their own number and
// have no third element.
//
// Sources: ids beside the database id of their repository in recorded
// responses (github.com/octokit/fixtures: C, I, LA, PC, PRC, PRO, RA, RE, REF,
// RI, SC) and in the examples of "Webhook events and payloads" (CR, DE, PR,
// PRRC, PRRT, W, WFR); T the same way. Of the others the scope is inferred
// from ids in public code, for DIC and EN from ones beside their repository's.
var newIDs = map[string]IDKind{
	"R": RepositoryID, "O": AccountID, "U": PersonID,

	"C": RepositoryID, "I": RepositoryID, "LA": RepositoryID, "PC": RepositoryID, "PRC": RepositoryID,
	"PRO": RepositoryID, "RA": RepositoryID, "RE": RepositoryID, "REF": RepositoryID, "RI": RepositoryID,
	"SC": RepositoryID, "CR": RepositoryID, "DE": RepositoryID, "PR": RepositoryID, "PRRC": RepositoryID,
	"PRRT": RepositoryID, "W": RepositoryID, "WFR": RepositoryID,

	"IC": RepositoryID, "MI": RepositoryID, "PRR": RepositoryID, "CS": RepositoryID, "BPR": RepositoryID,
	"D": RepositoryID, "DC": RepositoryID, "DIC": RepositoryID, "EN": RepositoryID, "CC": RepositoryID,

	"T": AccountID, "IT": AccountID, "DI": AccountID,
}

// prefixKind looks a prefix up. Those of Projects (PVT, PVTI, PVTSSF, …) and
// of issue fields (IF…) are many, and scoped to the account alike.
func prefixKind(prefix string) IDKind {
	if kind, ok := newIDs[prefix]; ok {
		return kind
	}
	if strings.HasPrefix(prefix, "PVT") || strings.HasPrefix(prefix, "IF") {
		return AccountID
	}
	return UnknownID
}

// NodeID says whom a global node id names: the repository that the thing is
// in, or is, or the account that it belongs to. It is UnknownID, and names nobody,
// for ids that name neither, or that this package does not know.
//
// GitHub calls node ids opaque and promises none of this ("Using global node
// IDs"): the answer is a hint, to be confirmed by looking the id up. Only one
// spelling of an id is accepted, the one that GitHub issues: padded standard
// base64 for the legacy format, unpadded base64url and the shortest
// MessagePack integers for the new one.
//
//	R_kgDOHrjtbQ                          repository 515435885
//	I_kwDOHrjtbc5OBUYo                    repository 515435885 (its issue 1308968488)
//	MDEwOlJlcG9zaXRvcnkxMDM3MDM4OTI=      repository 103703892 (010:Repository103703892)
//	PVT_kwDODzuJ-c4BNYGm                  account 255560185 (its project)
func NodeID(id string) (Account, IDKind) {
	// The decoder of encoding/base64 skips line ends.
	if len(id) > maxNodeID || strings.ContainsAny(id, "\r\n") {
		return Account{}, UnknownID
	}
	var text, data [maxNodeID]byte
	prefix, rest, isNew := strings.Cut(id, "_")
	encoding := strictURL
	if !isNew {
		prefix, rest, encoding = "", id, strictStd
	}
	n, err := encoding.Decode(data[:], text[:copy(text[:], rest)])
	if err != nil {
		return Account{}, UnknownID
	}
	if isNew {
		return decodeNewID(prefix, data[:n])
	}
	return decodeLegacyID(data[:n])
}

var (
	strictURL = base64.RawURLEncoding.Strict()
	strictStd = base64.StdEncoding.Strict()
)

// decodeLegacyID reads 0LENGTH:TYPE… where LENGTH is that of TYPE. The numbers
// of most types say nothing of where the thing is. A Commit and a Ref are
// named REPOSITORY:SHA and REPOSITORY:refs/…
//
// Source: docs.github.com "Migrating GraphQL global node IDs", and for Ref the
// example of the input object CommittableBranch, 03:Ref1:refs/heads/main.
func decodeLegacyID(data []byte) (Account, IDKind) {
	length, rest, ok := strings.Cut(string(data), ":")
	if !ok || len(length) < 2 || length[0] != '0' {
		return Account{}, UnknownID
	}
	n := ParseID(length[1:])
	if n == 0 || n > int64(len(rest)) {
		return Account{}, UnknownID
	}
	kind, value := rest[:n], rest[n:]
	switch kind {
	case "Repository":
		return repositoryHint(ParseID(value))
	case "Organization":
		return accountHint(ParseID(value), AccountID)
	case "User":
		return accountHint(ParseID(value), PersonID)
	case "Commit", "Ref":
		if repo, name, ok := strings.Cut(value, ":"); ok && name != "" {
			return repositoryHint(ParseID(repo))
		}
	}
	return Account{}, UnknownID
}

// decodeNewID reads the MessagePack array of a new id. The ids of rulesets are
// [0, "Repository" or "User" or …, number of that, own number]; all others
// [0, number of repository or account, …], where Projects have 1 for 0 if the
// account is a user's.
func decodeNewID(prefix string, data []byte) (Account, IDKind) {
	array, ok := unpack(data)
	if !ok {
		return Account{}, UnknownID
	}
	kind, scope := prefixKind(prefix), array.at[1].number
	switch {
	case prefix == "RRS":
		kind, scope = scopeKind(array.at[1].text), array.at[2].number
	case prefix == "R" || prefix == "O" || prefix == "U":
		ok = array.n == 2 && array.at[0].number == 0
	case kind == RepositoryID:
		ok = array.n >= 3 && array.at[0].number == 0
	default:
		ok = array.n >= 3 && array.at[0].number <= 1
	}
	switch {
	case !ok || array.at[0].text != "" || kind == UnknownID:
		return Account{}, UnknownID
	case kind == RepositoryID:
		return repositoryHint(scope)
	default:
		return accountHint(scope, kind)
	}
}

func scopeKind(word string) IDKind {
	switch word {
	case "Repository":
		return RepositoryID
	case "User", "Organization": // seen: "User" for organizations too
		return AccountID
	}
	return UnknownID
}

func repositoryHint(n int64) (Account, IDKind) {
	if n == 0 {
		return Account{}, UnknownID
	}
	return Account{RepositoryID: n}, RepositoryID
}

func accountHint(n int64, kind IDKind) (Account, IDKind) {
	if n == 0 {
		return Account{}, UnknownID
	}
	return Account{AccountID: n}, kind
}

// ParseID returns the number that s is, without leading zeros; 0 if it is none
// or does not fit.
func ParseID(s string) int64 {
	if s == "" || len(s) > 18 || s[0] == '0' {
		return 0
	}
	var n int64
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
