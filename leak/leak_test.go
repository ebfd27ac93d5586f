package leak_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"ghapp-proxy/leak"
)

const (
	token  = "ghs_canary0123456789abcdefghijklmnopqrst"
	basic  = "eC1hY2Nlc3MtdG9rZW46Z2hzX2NhbmFyeTAxMjM0NTY3ODlhYmNkZWZnaGlqa2xtbm9wcXJzdA=="
	spaced = "a secret, with spaces and \"quotes\""
)

func TestFind(t *testing.T) {
	url := "https://api.github.com/repos/acme/widgets/issues/comments/reactions"
	for text, want := range map[string]bool{
		"":                                   false,
		token:                                true,
		token[1:]:                            false,
		token[:len(token)-1]:                 false,
		`{"t":"` + token + `"}`:              true,
		`{"t":"` + basic + `"}`:              true,
		url + token:                          true,
		token + url:                          true,
		url + " " + url:                      false,
		strings.Repeat(token[:39]+" ", 9):    false,
		strings.Repeat(token[:39], 9):        false,
		strings.Repeat("ghs_", 99) + token:   true,
		token[:20] + "\n" + token[20:]:       false,
		strings.Repeat(" ", 100) + token:     true,
		strings.Repeat("\x00", 1e4) + basic:  true,
		strings.Repeat("x", 1e4) + basic[1:]: false,
		strings.ToUpper(token):               false,
	} {
		marks := leak.Of(token, "", basic)
		if got := marks.Find([]byte(text)); got != want {
			t.Errorf("Find(%.60q) = %v, want %v", text, got, want)
		}
		if got := marks.In(text); got != want {
			t.Errorf("In(%.60q) = %v, want %v", text, got, want)
		}
	}
	if !leak.Of(token, spaced).In("x" + spaced) {
		t.Error("a secret that is no token is not found")
	}
	if marks := leak.Of("short", token); !marks.In("a short text") || !marks.In("short") || marks.In("shor") {
		t.Error("a secret that is shorter than a head is not found, or the beginning of one is")
	}
	if marks := leak.Of(token); !marks.InFolded("x-"+strings.ToUpper(token)) || marks.InFolded(token[1:]) {
		t.Error("letters of another case")
	}
}

// TestFindAnywhere: of whatever length and wherever it is, also beside one that is like it.
func TestFindAnywhere(t *testing.T) {
	for length := 1; length <= len(token); length++ {
		secret := token[len(token)-length:]
		for _, marks := range []*leak.Marks{leak.Of(secret), leak.Of(secret, basic), leak.Of(basic, "0"+secret, secret)} {
			for at := range 100 {
				before, behind := strings.Repeat("-", at), strings.Repeat("-", 100-at)
				if !marks.In(before + secret + behind) {
					t.Errorf("%q is not found at %d", secret, at)
				}
				if almost := before + secret[:length-1] + "-" + behind; marks.In(almost) {
					t.Errorf("%q is found in %q", secret, almost)
				}
			}
		}
	}
}

func TestNone(t *testing.T) {
	for _, marks := range []*leak.Marks{nil, leak.Of(), leak.Of("", "")} {
		if !marks.None() || marks.In("") || marks.In(token) || marks.Find([]byte(token)) || marks.InFolded(token) ||
			marks.Beginning([]byte(token)) != 0 || marks.Longest() != 0 || !leak.Of(token).Covers(marks) {
			t.Errorf("%d marks of nothing find something", marks.Longest())
		}
	}
	if both := leak.Of(token).And(leak.Of(basic)); !both.In(token) || !both.In(basic) || both.Longest() != len(basic) || !both.Covers(leak.Of(basic)) || leak.Of(token).Covers(both) {
		t.Error("And")
	}
}

func TestBeginning(t *testing.T) {
	for text, want := range map[string]int{
		"":                                       0,
		token[:7]:                                0,
		token[:8]:                                8,
		"abc " + token[:30]:                      30,
		token[:30] + " ":                         0,
		token:                                    0, // it is here
		token[:10] + basic[:20]:                  20,
		"x" + token[:39]:                         39,
		token[:20] + token[:12]:                  12,
		strings.Repeat("x", 99) + "":             0,
		"Authorization: " + basic[:len(basic)-1]: len(basic) - 1,
	} {
		if got := leak.Of(token, basic).Beginning([]byte(text)); got != want {
			t.Errorf("Beginning(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestMarksPrintNothing(t *testing.T) {
	marks := leak.Of(token)
	text, err := json.Marshal(marks)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		text = append(text, fmt.Sprintf(verb, marks)...)
	}
	text = append(text, marks.LogValue().String()...)
	if bytes.Contains(text, []byte("canary")) || bytes.Contains(text, fmt.Appendf(nil, "%x", "canary")) {
		t.Errorf("marks print as %s", text)
	}
}

// FuzzFind compares with the searches of the standard library.
func FuzzFind(f *testing.F) {
	f.Add(token, basic, "x"+token, 0)
	f.Add("aa", "aab", "aaab", 3)
	f.Add(spaced, token, token[:8]+spaced+token[:8], 9)
	f.Fuzz(func(t *testing.T, one, other, text string, at int) {
		if at >= 0 && at < len(text) {
			text = text[:at] + one + text[at:] // else it is seldom there
		}
		marks := leak.Of(one, other)
		want, begun := false, 0
		for _, secret := range []string{one, other} {
			if secret == "" {
				continue
			}
			want = want || strings.Contains(text, secret)
			for n := 8; n < len(secret) && n <= len(text); n++ {
				if strings.HasSuffix(text, secret[:n]) {
					begun = max(begun, n)
				}
			}
		}
		if marks.In(text) != want || marks.Find([]byte(text)) != want {
			t.Errorf("%q or %q in %q: %v, want %v", one, other, text, !want, want)
		}
		if got := marks.Beginning([]byte(text)); got != begun {
			t.Errorf("the beginning of %q or %q at the end of %q: %d, want %d", one, other, text, got, begun)
		}
	})
}

// BenchmarkFind is a search in 64 KiB: of JSON as the API has it, of a file in
// base64, of a pack, and of what is most like the secrets.
func BenchmarkFind(b *testing.B) {
	issue := `{"url":"https://api.github.com/repos/acme/widgets/issues/1347","labels_url":"https://api.github.com/repos/acme/widgets/issues/1347/labels{/name}","id":1,"node_id":"MDU6SXNzdWUx","number":1347,"state":"open","title":"Found a bug","body":"I'm having a problem with this.","user":{"login":"octocat","id":1,"gravatar_id":"","type":"User","site_admin":false},"locked":true,"created_at":"2011-04-22T13:33:48Z"},`
	const size = 64 << 10
	random := rand.New(rand.NewPCG(1, 2))
	pack := make([]byte, size)
	for i := range pack {
		pack[i] = byte(random.Uint32())
	}
	letters := make([]byte, size)
	for i := range letters {
		letters[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[random.IntN(64)]
	}
	for name, text := range map[string][]byte{
		"JSON":   []byte(strings.Repeat(issue, size/len(issue)+1)[:size]),
		"base64": letters,
		"pack":   pack,
		"worst":  []byte(strings.Repeat(token[:39]+" ", size/40)),
		"alike":  []byte(strings.Repeat(token[:39], size/39)),
	} {
		for _, keys := range []int{0, 1, 4} {
			secrets := []string{token, basic}
			for i := range keys * 4 {
				secrets = append(secrets, string(letters[i*64:i*64+63])+"_")
			}
			marks := leak.Of(secrets...)
			b.Run(fmt.Sprintf("%s/keys=%d", name, keys), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					if marks.Find(text) || marks.Beginning(text) < 0 {
						b.Fatal("found")
					}
				}
			})
		}
	}
}
