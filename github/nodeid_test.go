package github

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// newID makes an id of the new format of elements that are int64 or string.
func newID(prefix string, elements ...any) string {
	b := []byte{0x90 | byte(len(elements))}
	for _, element := range elements {
		switch e := element.(type) {
		case int:
			b = packUint(b, uint64(e))
		case int64:
			b = packUint(b, uint64(e))
		case string:
			b = append(binary.BigEndian.AppendUint16(append(b, 0xda), uint16(len(e))), e...)
		}
	}
	return prefix + "_" + base64.RawURLEncoding.EncodeToString(b)
}

func packUint(b []byte, n uint64) []byte {
	switch {
	case n < 1<<7:
		return append(b, byte(n))
	case n < 1<<8:
		return append(b, 0xcc, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xcf), n)
}

func legacyID(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// Ids without a comment come from GitHub's documentation, com/octokit/fixtures
// and public repositories.
func TestNodeID(t *testing.T) {
	for _, tt := range []struct{ id, want string }{
		{"R_kgDOHrjtbQ", "repository 515435885"},
		{"I_kwDOHrjtbc5OBUYo", "repository 515435885"},
		{"DIC_kwDOFs7gBM4COKgn", "repository 382656516"},
		{"EN_kwDOTdWfAc8AAAAFViZRDA", "repository 1305845505"},
		{"RRS_lACqUmVwb3NpdG9yec5Oqd2QzgFzThk", "repository 1319755152"},
		{"RRS_lACkVXNlcs4AXenizgBRqVA", "account 6154722"},
		{"PVT_kwDODzuJ-c4BNYGm", "account 255560185"},
		{"PVT_kwHOAEnMVc4BCu-c", "account 4836437"},
		{"PVTSSF_lADODzuJ-c4BNYGmzg8Y71s", "account 255560185"},
		{"DI_lADOBpMd-c4BapTczgKnu90", "account 110304761"},
		{"MDEwOlJlcG9zaXRvcnkxMDM3MDM4OTI=", "repository 103703892"},
		{"MDEwOlJlcG9zaXRvcnkzODI2NTY1MTY=", "repository 382656516"},
		{"MDQ6VXNlcjU4MzIzMQ==", "account 583231"},
		{"MDEyOk9yZ2FuaXphdGlvbjE=", "account 1"},
		{"MDM6UmVmMTpyZWZzL2hlYWRzL21haW4=", "repository 1"},
		{legacyID("06:Commit103703892:6dcb09b5b57875f334f61aebed695e2e4193db5e"), "repository 103703892"},
		{newID("C", 0, 9001, strings.Repeat("a", 40)), "repository 9001"},
		{newID("REF", 0, 9001, "refs/heads/main"), "repository 9001"},
		{newID("O", 0, 1234), "account 1234"},
		{newID("U", 0, 127), "account 127"},
		{newID("T", 0, 1234, 5), "account 1234"},
		{newID("IT", 0, 1234, 5), "account 1234"},
		{newID("IFSS", 0, 1234, 5), "account 1234"},
		{newID("R", 0, int64(1)<<62), "repository 4611686018427387904"},
	} {
		got, kind := NodeID(tt.id)
		if kind == UnknownID || got.String() != tt.want {
			t.Errorf("NodeID(%q) = %q, want %q", tt.id, got.String(), tt.want)
		}
	}
}

func TestNotNodeID(t *testing.T) {
	for name, id := range map[string]string{
		"empty":                  "",
		"prefix alone":           "R_",
		"no prefix":              "_kgDOHrjtbQ",
		"unknown prefix":         newID("GITHUB", 0, 1, 2),
		"lower case":             "r_kgDOHrjtbQ",
		"enterprise":             newID("E", 0, 1),
		"enterprise, legacy":     legacyID("010:Enterprise1"),
		"bot":                    newID("BOT", 0, 1),
		"padded":                 "R_kgDOHrjtbQ==",
		"trailing bits":          "R_kgDOHrjtbR",
		"line end":               "R_kgDO\nHrjtbQ",
		"short":                  "R_kgDOHrjt",
		"long":                   "R_kgDOHrjtbQAA",
		"too many elements":      newID("R", 0, 1, 2),
		"too few elements":       newID("I", 0, 1),
		"one element":            newID("R", 0),
		"first is not 0":         newID("R", 1, 5),
		"number 0":               newID("R", 0, 0),
		"string for a number":    newID("R", 0, "5"),
		"string first":           newID("I", "", 1, 2),
		"number not minimal":     "R_" + base64.RawURLEncoding.EncodeToString([]byte{0x92, 0, 0xcd, 0, 5}),
		"number beyond int64":    "R_" + base64.RawURLEncoding.EncodeToString([]byte{0x92, 0, 0xcf, 255, 255, 255, 255, 255, 255, 255, 255}),
		"negative":               "R_" + base64.RawURLEncoding.EncodeToString([]byte{0x92, 0, 0xff}),
		"map":                    "R_" + base64.RawURLEncoding.EncodeToString([]byte{0x82, 0, 5, 1, 6}),
		"array 16":               "R_" + base64.RawURLEncoding.EncodeToString([]byte{0xdc, 0, 2, 0, 5}),
		"legacy unpadded":        "MDQ6VXNlcjU4MzIzMQ",
		"legacy wrong length":    legacyID("09:Repository1"),
		"legacy long length":     legacyID("099:Repository1"),
		"legacy no number":       legacyID("010:Repository"),
		"legacy leading zero":    legacyID("010:Repository01"),
		"legacy too large":       legacyID("010:Repository99999999999999999999"),
		"legacy of its own":      legacyID("05:Issue1"),
		"legacy commit, no repo": legacyID("06:Commit6dcb09b5b57875f334f61aebed695e2e4193db5e"),
		"legacy ref, no repo":    legacyID("03:Refrefs/heads/featureA"),
		"option of a project":    "98236657",
		"text":                   "not an id",
		"huge":                   "R_" + strings.Repeat("A", 1<<20),
	} {
		if got, kind := NodeID(id); kind != UnknownID {
			t.Errorf("%s: NodeID(%.40q) = %q, want nothing", name, id, got.String())
		}
	}
}

func FuzzNodeID(f *testing.F) {
	for _, id := range []string{"R_kgDOHrjtbQ", "I_kwDOHrjtbc5OBUYo", "MDEwOlJlcG9zaXRvcnkxMDM3MDM4OTI=", "RRS_lACkVXNlcgQB", ""} {
		f.Add(id, int64(9001), int64(7))
	}
	f.Fuzz(func(t *testing.T, id string, scope, own int64) {
		s, kind := NodeID(id)
		if (kind != UnknownID) != s.Named() || s.Login != "" || s.RepositoryID < 0 || s.AccountID < 0 {
			t.Errorf("NodeID(%q) = %+v, %v", id, s, kind)
		}
		if scope <= 0 || own < 0 {
			return
		}
		for prefix, want := range map[string]Account{
			"I": {RepositoryID: scope}, "PVTI": {AccountID: scope}, "T": {AccountID: scope},
		} {
			if got, _ := NodeID(newID(prefix, 0, scope, own)); got != want {
				t.Errorf("%s of [0 %d %d] = %+v, want %+v", prefix, scope, own, got, want)
			}
		}
		if got, _ := NodeID(newID("R", 0, scope)); got != (Account{RepositoryID: scope}) {
			t.Errorf("R of [0 %d] = %+v", scope, got)
		}
		if scope < 1e18 {
			if got, _ := NodeID(legacyID(fmt.Sprint("010:Repository", scope))); got != (Account{RepositoryID: scope}) {
				t.Errorf("legacy %d = %+v", scope, got)
			}
		}
	})
}

func BenchmarkNodeID(b *testing.B) {
	for name, id := range map[string]string{
		"new": "I_kwDOHrjtbc5OBUYo", "legacy": "MDEwOlJlcG9zaXRvcnkxMDM3MDM4OTI=", "text": "not an id",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				NodeID(id)
			}
		})
	}
}
