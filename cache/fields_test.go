package cache

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// TestUpdates: which 304 changes what is kept.
func TestUpdates(t *testing.T) {
	kept := []field{{"A", "1"}, {"A", "2"}, {"B", "3"}, {"Etag", "x"}}
	for _, test := range []struct {
		now  http.Header
		want bool
	}{
		{http.Header{}, false},
		{http.Header{"A": {"1", "2"}}, false},
		{http.Header{"A": {"1", "2"}, "B": {"3"}}, false},
		{http.Header{"A": {"1"}}, true},
		{http.Header{"A": {"2"}}, true},
		{http.Header{"A": {"2", "1"}}, true},
		{http.Header{"A": {"1", "2", "3"}}, true},
		{http.Header{"B": {"4"}}, true},
		{http.Header{"B": {"3", "3"}}, true},
		{http.Header{"C": {"1"}}, true},
		{http.Header{"Etag": {"y"}}, false},
		{http.Header{"Date": {"now"}}, false},
		{http.Header{"X-Ratelimit-Used": {"7"}}, false},
		{http.Header{"Content-Type": {"7"}}, false},
		{http.Header{"Etag": {"y"}, "Date": {"now"}, "B": {"4"}}, true},
	} {
		if got := updates(kept, test.now); got != test.want {
			t.Errorf("updates(%v) = %v", test.now, got)
		}
	}
	if updates([]field{{"A", "1"}}, http.Header{"A": {"1"}}) {
		t.Error("the last field is another")
	}
}

// TestFreshenCounts: what a 304 adds to what is kept counts, and what it takes away does not any more; what is too much is given once.
func TestFreshenCounts(t *testing.T) {
	c := New(1 << 20)
	a := keeps(t, c, "/a", "Bearer t", "{}")
	before := a.cost
	step := func(now http.Header, more int64) {
		t.Helper()
		a.Freshen(now, "x", 1)
		if a.cost != before+more || c.Stats().Used != a.cost {
			t.Errorf("%d bytes more, %d count", a.cost-before, c.Stats().Used)
		}
	}
	step(http.Header{"X": {"12345"}}, fieldOverhead+8)
	step(http.Header{"X": {"12345"}}, fieldOverhead+8)
	step(http.Header{"X": {"1"}}, fieldOverhead+4)
	step(http.Header{"X": {}}, 0)
	long := strings.Repeat("a", maxHead)
	if got := a.Freshen(http.Header{"X": {long}}, "x", 1); got.Get("X") != long {
		t.Error("a long field is not given")
	}
	step(http.Header{}, 0)
	c.Resize(c.Stats().Used + 10)
	if got := a.Freshen(http.Header{"X": {"12345"}}, "x", 1); got.Get("X") != "12345" {
		t.Error("what there is no memory for is not given")
	}
	if c.Stats().Answers == 1 {
		step(http.Header{}, 0)
	}
	// Who is given it is a viewer of it.
	a = keeps(t, New(1<<20), "/a", "Bearer t", "{}")
	a.Freshen(http.Header{}, "x", 9)
	if !a.isOf(9) {
		t.Error("who was given it is no viewer")
	}
}

// TestKeptFields: of which fields nothing is kept.
func TestKeptFields(t *testing.T) {
	texts, n, ok := appendKept(nil, http.Header{
		"A": {"1", "2"}, "Date": {"x"}, "Age": {"x"}, "Retry-After": {"x"}, "X-Ratelimit-Remaining": {"x"}, "Cache-Status": {"x"}, "Proxy-Status": {"x"},
		"Connection": {"close, X-Hop", " keep-alive ,\tX-Other"}, "X-Hop": {"1"}, "X-Other": {"1"}, "Transfer-Encoding": {"chunked"}, "Etag": {"e"},
	})
	got := map[field]bool{}
	for _, f := range packed(texts).fields(nil) {
		got[f] = true
	}
	if want := (map[field]bool{{"A", "1"}: true, {"A", "2"}: true, {"Etag", "e"}: true}); !ok || n != 3 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d: %v, want %v", n, got, want)
	}
}

// TestReadVary: what Vary says.
func TestReadVary(t *testing.T) {
	long := strings.Repeat("a", maxField)
	for text, want := range map[string]vary{
		"":                                   {},
		"Accept":                             {accept: true},
		" accept ,\tAUTHORIZATION":           {accept: true, authorization: true},
		"Cookie, Accept-Encoding,User-Agent": {},
		", ,X-GitHub-Api-Version,,":          {},
		"X-GitHub-OTP, Accept, x-other":      {accept: true, others: []string{"X-Github-Otp", "X-Other"}},
		"*":                                  {unfit: true},
		"Accept, *":                          {unfit: true},
		long:                                 {others: []string{http.CanonicalHeaderKey(long)}},
		long + "a":                           {unfit: true},
		strings.Repeat("Accept,", maxVary):   {accept: true},
		strings.Repeat("Accept,", maxVary+1): {unfit: true},
	} {
		want.text = text
		for range 2 { // the second time it is known
			if got := varyOf(text); !reflect.DeepEqual(*got, want) {
				t.Errorf("Vary: %.50s is %+v", text, *got)
			}
		}
	}
	varyOf("Accept")
	varyOf(strings.Repeat(",", maxField+1))
	if last := lastVary.Load().text; last != "Accept" {
		t.Errorf("a long one is remembered: %d octets", len(last))
	}
}

// TestSelectionCounts: what an answer is selected by counts.
func TestSelectionCounts(t *testing.T) {
	s, ok := selectionOf(http.Header{"X": {"1", "22"}}, http.Header{"Vary": {"X", "Yy"}})
	if want := len("X,Yy") + len("X") + len("1,22") + len("Yy") + 2*fieldOverhead; !ok || s.cost() != want {
		t.Errorf("%+v: %d bytes, want %d", s, s.cost(), want)
	}
	if got := costOf(10, 1, &s); got != int64(overhead+10+fieldOverhead+s.cost()) {
		t.Errorf("it costs %d", got)
	}
}

// TestConditions: how If-None-Match is read.
func TestConditions(t *testing.T) {
	ours := `"` + strings.Repeat("0a", 32) + `"`
	for _, test := range []struct {
		values []string
		want   []string // the ETags; those of GitHub's form have a + in front; nil for not understood
	}{
		{nil, []string{}},
		{[]string{""}, []string{}},
		{[]string{`"a"`}, []string{`"a"`}},
		{[]string{`""`}, []string{`""`}},
		{[]string{ours}, []string{"+" + ours}},
		{[]string{"W/" + ours}, []string{"+W/" + ours}},
		{[]string{`"a,b", W/"c"	,,` + ours, ` "d" `}, []string{`"a,b"`, `W/"c"`, "+" + ours, `"d"`}},
		{[]string{strings.ToUpper(ours)}, []string{strings.ToUpper(ours)}},
		{[]string{`"` + ours[2:]}, []string{`"` + ours[2:]}},
		{[]string{"*"}, nil},
		{[]string{`"a`}, nil},
		{[]string{`"`}, nil},
		{[]string{`W/`}, nil},
		{[]string{`W/a`}, nil},
		{[]string{`a"`}, nil},
		{[]string{`w/"a"`}, nil},
		{[]string{`"a" "b"`}, nil},
		{[]string{`"a"b`}, nil},
		{[]string{strings.Repeat(`"a",`, maxConditions)}, strings.Split(strings.Repeat(` "a"`, maxConditions), " ")[1:]},
		{[]string{strings.Repeat(`"a",`, maxConditions+1)}, nil},
	} {
		list, ok := Conditions(http.Header{"If-None-Match": test.values})
		got := []string{}
		for _, c := range list {
			text := c.Text
			if c.ours {
				text = "+" + text
			}
			got = append(got, text)
		}
		if !ok {
			got = nil
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("Conditions(%.80q) = %q, want %q", test.values, got, test.want)
		}
	}
}

// TestStatus: what Cache-Status and the log say.
func TestStatus(t *testing.T) {
	for _, test := range []struct {
		fate      Fate
		collapsed bool
		want, log string
	}{
		{Fate{How: Miss, Status: 200}, false, "ghapp-proxy; fwd=miss", ""},
		{Fate{How: Miss, Status: 200}, true, "ghapp-proxy; fwd=miss; collapsed", ""},
		{Fate{How: Hit}, false, "ghapp-proxy; hit; detail=revalidated", "hit"},
		{Fate{How: Hit}, true, "ghapp-proxy; hit; detail=revalidated; collapsed", "hit"},
		{Fate{How: Validated}, false, "ghapp-proxy; hit; detail=revalidated", "validated"},
		{Fate{How: Changed, Status: 404}, false, "ghapp-proxy; fwd=stale; fwd-status=404", "changed"},
		{Fate{How: Passed}, false, "ghapp-proxy; fwd=request", ""},
	} {
		if got := test.fate.Field(test.collapsed); got != test.want || test.fate.How.String() != test.log {
			t.Errorf("%+v, %v: %q, %q", test.fate, test.collapsed, got, test.fate.How)
		}
	}
}

// TestCounts: what is counted as saved.
func TestCounts(t *testing.T) {
	c := New(1)
	c.CountHit(Fate{How: Hit, Length: 10}, true)
	c.CountHit(Fate{How: Hit, Length: 10}, false) // where there are no limits
	c.CountHit(Fate{How: Validated, Length: 5}, true)
	c.CountHit(Fate{How: Validated}, true) // which the client's own ETag has saved
	c.CountMiss()
	c.CountShared(7, true)
	c.CountShared(-1, false)
	s := c.Stats()
	if got := fmt.Sprint(s.Hits, s.Validated, s.Misses, s.Shared, s.BytesSaved, s.QuotaSaved); got != "2 2 1 2 32 3" {
		t.Errorf("%s: %+v", got, s)
	}
}

// TestViewers: whose an answer is, is known of so many; those that were noted last are.
func TestViewers(t *testing.T) {
	c := New(1 << 20)
	a := keeps(t, c, "/a", "Bearer t", "{}") // of 1
	for viewer := uint64(2); viewer <= maxViewers+2; viewer++ {
		a.Touch(viewer)
		a.Touch(viewer)
	}
	if len(a.viewers) != maxViewers || a.isOf(1) || a.isOf(2) || !a.isOf(3) || !a.isOf(maxViewers+2) {
		t.Errorf("%d viewers: %v", len(a.viewers), a.viewers)
	}
	b := keeps(t, c, "/a", "Bearer t", "[]") // is new to 1, and another one
	if finds(t, c, "/a", "Bearer t", 7) != a || finds(t, c, "/a", "Bearer t", 1) != b || finds(t, c, "/a", "Bearer t", 1000) != b {
		t.Error("not each is offered what it was given")
	}
	b.Touch(7) // has seen that it has changed
	if finds(t, c, "/a", "Bearer t", 7) != b || finds(t, c, "/a", "Bearer t", 8) != a {
		t.Error("who was given another is offered what it was given before")
	}
	req, q := requestFor(t, "/a", "Bearer t")
	fetch(t, c, &q, req, answerWith("8", tagFor("8", "Bearer t")), 8)
	fetch(t, c, &q, req, answerWith("500", tagFor("500", "Bearer t")), 500)
	if finds(t, c, "/a", "Bearer t", 9) == a || finds(t, c, "/a", "Bearer t", 1000) == a {
		t.Error("what one has seen changed is offered to others")
	}
	a.Touch(1001) // it is good again
	if finds(t, c, "/a", "Bearer t", 1002) != a || finds(t, c, "/a", "Bearer t", 7) != b || finds(t, c, "/a", "Bearer t", 9) != a {
		t.Error("what was good last is not offered, or to who was given another")
	}
	gone := a
	c.drop(a)
	gone.Touch(5)
	if finds(t, c, "/a", "Bearer t", 5) == gone {
		t.Error("what was dropped is back")
	}
	c.drop(gone)
	if s := c.Stats(); s.Answers != 3 {
		t.Errorf("%+v", s)
	}
	keeps(t, c, "/b", "Bearer t", "1")
	keeps(t, c, "/b", "Bearer t", "2")
	if s := c.Stats(); s.Answers != 4 {
		t.Errorf("what its only viewer sees changed is kept: %+v", s)
	}
}
