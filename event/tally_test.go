package event

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// plainLog returns a logger without times, and what it logged.
func plainLog() (*slog.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	return slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})), &out
}

func TestTally(t *testing.T) {
	log, out := plainLog()
	var tally Tally
	read := Event{
		Kind: Request, Client: "c", Host: "api.github.com", Path: "/x", Operation: "repos/get", Credential: "installation",
		Subject: "acme/widgets", App: "a", Installation: 111, Status: 200,
	}
	for range 3 {
		tally.Count(&read)
	}
	for _, e := range []Event{
		{Kind: Request, Host: "api.github.com", Operation: "r", Credential: "none", Status: 403, Err: errors.New("no"), Level: slog.LevelWarn},
		{Kind: Tunnel, Decision: Forwarded, Host: "example.com:443", Sent: 1},
		{Kind: Connect, Decision: Failed, Host: "h:1", Status: 502, Err: errors.New("e"), Level: slog.LevelWarn},
		{Kind: Connect, Decision: Refused, Host: "h:1", Status: 407, Err: errors.New("guess"), Level: slog.LevelDebug},
	} {
		tally.Count(&e)
	}
	tally.Report(log)
	want := `level=INFO msg=summary count=3 what=request host=api.github.com route=repos/get credential=installation owner=acme/widgets app=a installation=111
level=INFO msg=summary count=1 what=refused host=h:1 status=502 error=e
level=INFO msg=summary count=1 what=request host=api.github.com route=r credential=none status=403 error=no
level=INFO msg=summary count=1 what=tunnel host=example.com:443
level=INFO msg=summary total=6 others=0
`
	if out.String() != want {
		t.Errorf("summary\n%s\nwant\n%s", out, want)
	}
}

// Whatever is asked for, the summary stays short, and nothing is lost in it.
func TestTallyIsBounded(t *testing.T) {
	var tally Tally
	const each, workers = 1000, 4
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				tally.Count(&Event{Kind: Request, Host: fmt.Sprintf("h%d.%d", w, i), Status: 200})
			}
		})
	}
	wg.Wait()
	plain, out := plainLog()
	tally.Report(plain)
	if lines := strings.Count(out.String(), "\n"); lines != maxSummary+1 || len(tally.counts) != maxGroups {
		t.Errorf("%d lines and %d groups, want %d and %d", lines, len(tally.counts), maxSummary+1, maxGroups)
	}
	if want := fmt.Sprintf("total=%d others=%d\n", each*workers, each*workers-maxSummary); !strings.HasSuffix(out.String(), want) {
		t.Errorf("the last line is not %q: %s", want, out)
	}
}
