package auth_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// ahead is a GitHub whose clock is ahead of ours, and which looks at the times
// of JWTs as GitHub does.
func ahead(t testing.TB, skew time.Duration) *api {
	now := func() time.Time { return time.Now().Add(skew) }
	fake := &api{clock: now}
	fake.judge = func(r *http.Request) (answer reply, refused bool) {
		_, claims := openJWT(t, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), &testKey().PublicKey)
		var exp, iat int64
		fmt.Sscanf(claims, `{"exp":%d,"iat":%d`, &exp, &iat)
		switch unix := now().Unix(); {
		case exp <= unix:
			return jwtRefused("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"), true
		case exp > unix+600:
			return jwtRefused("'Expiration time' claim ('exp') is too far in the future"), true
		case iat > unix:
			return jwtRefused("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"), true
		}
		return reply{}, false
	}
	fake.mint = func(n int, _ string) reply {
		return reply{status: 201, body: fmt.Sprintf(`{"token":"ghs_%d","expires_at":%q}`, n, now().Add(time.Hour).UTC().Format(time.RFC3339))}
	}
	return fake
}

func jwtRefused(message string) reply {
	return reply{status: 401, body: fmt.Sprintf(`{"message":%q}`, message)}
}

func TestClockIsCorrected(t *testing.T) {
	for _, skew := range []time.Duration{
		-20 * time.Hour, -time.Hour, -10 * time.Minute, -2 * time.Minute, -time.Second, 0,
		time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 20 * time.Hour,
	} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(300 * time.Millisecond) // Date has whole seconds
			fake := ahead(t, skew)
			s, log := logged(t, fake)
			fake.set("GET /users/globex/installation", installed(5, "globex", "all"))
			first := mustToken(t, s, "acme")
			if n := len(fake.take()); n > 2 {
				t.Errorf("skew %v: %d calls for the first token, want a retry at most", skew, n)
			}
			mustToken(t, s, "globex")
			wantCalls(t, fake, "GET /users/globex/installation", "POST /app/installations/5/access_tokens")
			time.Sleep(45 * time.Minute)
			if got := mustToken(t, s, "acme"); got != first {
				t.Errorf("skew %v: after 45 minutes the token is another one", skew)
			}
			time.Sleep(15 * time.Minute)
			if got := mustToken(t, s, "acme"); got == first {
				t.Errorf("skew %v: after an hour the token is the first", skew)
			}
			lines, want := strings.Count(log.String(), "\n"), 1
			if skew.Abs() < 2*time.Second {
				want = 0
			}
			if lines != want || want == 1 && !strings.Contains(log.String(), skew.String()) {
				t.Errorf("skew %v: the log has %d lines, want %d:\n%s", skew, lines, want, log)
			}
		})
	}
}

// TestClockIsRetriedOnce: GitHub complains whatever we do.
func TestClockIsRetriedOnce(t *testing.T) {
	const far = "'Expiration time' claim ('exp') is too far in the future"
	tests := []struct {
		name   string
		skew   time.Duration
		header http.Header
		answer reply
		calls  int
	}{
		{"clock", -time.Hour, nil, jwtRefused(far), 2},
		{"no difference", 0, nil, jwtRefused(far), 1},
		{"more than a day", -25 * time.Hour, nil, jwtRefused(far), 1},
		{"from a cache", -time.Hour, http.Header{"Age": {"0"}}, jwtRefused(far), 1},
		{"another message", -time.Hour, nil, jwtRefused("Bad credentials"), 1},
		{"another status", -time.Hour, nil, reply{status: 403, body: `{"message":"` + far + `"}`}, 1},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			fake := &api{clock: func() time.Time { return time.Now().Add(test.skew) }}
			test.answer.header = test.header
			fake.mint = func(int, string) reply { return test.answer }
			if got := whose(t, acmeSource(t, fake), "acme", true); got != "error" {
				t.Errorf("%s: answered by %s, want an error", test.name, got)
			}
			if n := len(fake.take()); n != test.calls {
				t.Errorf("%s: %d calls, want %d", test.name, n, test.calls)
			}
		})
	}
}

// TestNoDate: without a Date there is nothing to learn.
func TestNoDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := ahead(t, time.Hour)
		fake.clock = nil
		if got := whose(t, acmeSource(t, fake), "acme", true); got != "error" || len(fake.take()) != 1 {
			t.Errorf("answered by %s, want an error and no retry", got)
		}
	})
}

func TestObserveDate(t *testing.T) {
	date := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	tests := []struct {
		instance  github.Instance
		date, age string
		want      time.Duration
	}{
		{github.GitHubCom, date(0), "", 0},
		{github.GitHubCom, date(time.Hour), "", time.Hour},
		{github.GitHubCom, date(-time.Hour), "", -time.Hour},
		{github.GitHubCom, date(time.Hour), "3", 0},
		{github.GitHubCom, date(25 * time.Hour), "", 0},
		{github.GitHubCom, "", "", 0},
		{github.GitHubCom, "yesterday", "", 0},
		{"ghe.example.com", date(time.Hour), "", 0},
	}
	for _, test := range tests {
		s := newSource(t, nil, 0, newApp("ci-bot", 1))
		before := jwtOf(t, s)
		s.ObserveDate(test.instance, test.date, test.age)
		after := jwtOf(t, s)
		if test.want == 0 {
			if before != after {
				t.Errorf("%+v: there is another JWT", test)
			}
			continue
		}
		var iat, exp int64
		_, claims := openJWT(t, after, &testKey().PublicKey)
		fmt.Sscanf(claims, `{"exp":%d,"iat":%d`, &exp, &iat)
		if off := time.Until(time.Unix(iat, 0)) + time.Minute - test.want; off.Abs() > 5*time.Second {
			t.Errorf("%+v: iat is %v off", test, off)
		}
	}
}

// TestClockOfEveryCall: a look-up is made again by the other clock, and so is a
// mint with its body.
func TestClockOfEveryCall(t *testing.T) {
	const look, mint = "GET /users/globex/installation", "POST /app/installations/111/access_tokens"
	narrow := mustNarrow(t, []string{"widgets"}, nil, nil)
	for _, test := range []struct {
		want  auth.Want
		calls []string // with their bodies
	}{
		{auth.Want{Owner: owner("globex")}, []string{look, look, "POST /app/installations/5/access_tokens"}},
		{auth.Want{Owner: owner("acme"), Narrow: narrow}, []string{mint + narrow.String(), mint + narrow.String()}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var calls []string
			fake := ahead(t, -time.Hour)
			fake.set(look, installed(5, "globex", "all"))
			fake.before = func(r *http.Request) {
				call := r.Method + " " + r.URL.RequestURI()
				if r.Body != nil {
					body, _ := io.ReadAll(r.Body)
					call += string(body)
				}
				calls = append(calls, call)
			}
			if _, err := acmeSource(t, fake).Token(t.Context(), "github.com", test.want); err != nil {
				t.Errorf("Token(%v): %v", test.want.Owner, err)
			}
			if !slices.Equal(calls, test.calls) {
				t.Errorf("Token(%v) asked %q, want %q", test.want.Owner, calls, test.calls)
			}
		})
	}
}

// TestClockOfEachInstance: a clock that is wrong is wrong about its own instance.
func TestClockOfEachInstance(t *testing.T) {
	ghe := newApp("ghe-bot", 1)
	ghe.Instance = "ghe.example.com"
	s := newSource(t, nil, 0, newApp("ci-bot", 1), ghe)
	of := func(instance github.Instance) string {
		cred, err := s.ForApp(t.Context(), instance, "", 0, github.Account{})
		if err != nil {
			t.Fatal(err)
		}
		return cred.Bearer()[0]
	}
	first, second := of("github.com"), of("ghe.example.com")
	s.ObserveDate("ghe.example.com", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), "")
	if of("github.com") != first {
		t.Error("the clock of ghe.example.com dates the JWTs for github.com")
	}
	if of("ghe.example.com") == second {
		t.Error("the JWT for ghe.example.com is the same, want one by its clock")
	}
}

// TestObserveDateIsCheap: the proxy calls it for every answer.
func TestObserveDateIsCheap(t *testing.T) {
	s := newSource(t, nil, 0, newApp("ci-bot", 1))
	date := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	if n := testing.AllocsPerRun(100, func() { s.ObserveDate("github.com", date, "") }); n != 0 {
		t.Errorf("ObserveDate allocates %v times, want 0", n)
	}
}

// TestClockIsSet: somebody sets the clock, and the next answer says so.
func TestClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		skew := time.Hour
		s, log := logged(t, &api{})
		for range 3 {
			for range 3 {
				s.ObserveDate("github.com", time.Now().Add(skew).UTC().Format(http.TimeFormat), "")
				time.Sleep(2 * time.Second)
			}
			skew = time.Hour - skew
		}
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Errorf("the log has %d lines, want one for each time that the clock went wrong:\n%s", n, log)
		}
	})
}

// TestSkewedServer is about the fake GitHub, which verifies JWTs by itself.
func TestSkewedServer(t *testing.T) {
	for _, skew := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		server, app := seeded(t)
		server.SetClockSkew(skew)
		s := reach(t, server, app)
		if got := whose(t, s, "acme/widgets", true); got != "111 of ci-bot" {
			t.Errorf("skew %v: answered by %s, want 111 of ci-bot", skew, got)
		}
		cred, err := s.ForApp(t.Context(), "github.com", "", 0, github.Account{})
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://api.github.com/app", nil)
		req.Header["Authorization"] = cred.Bearer()
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("skew %v: GET /app is answered %d, want 200", skew, resp.StatusCode)
		}
	}
}
