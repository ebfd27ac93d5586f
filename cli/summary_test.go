package cli

import (
	"bytes"
	"fmt"
	"io"
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

func TestSummary(t *testing.T) {
	plain, out := plainLog()
	log, tally := summarized(plain)
	for range 3 {
		log.Info("request", "client", "c", "host", "api.github.com", "path", "/x", "route", "repos/get", "credential", "installation", "owner", "acme/widgets", "app", "a", "installation", int64(111), "status", 200)
	}
	log.Warn("request", "host", "api.github.com", "route", "r", "credential", "none", "status", 403, "error", "no")
	log.With("host", "example.com:443").Info("tunnel", "bytes_in", 1)
	log.Warn("refused", "host", "h:1", "status", 502, "error", "e")
	log.Info("minted a token", "app", "a")
	out.Reset()
	tally.report(plain)
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
func TestSummaryIsBounded(t *testing.T) {
	log, tally := summarized(slog.New(slog.NewTextHandler(io.Discard, nil)))
	const each, workers = 1000, 4
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				log.Info("request", "host", fmt.Sprintf("h%d.%d", w, i), "status", 200)
			}
		})
	}
	wg.Wait()
	plain, out := plainLog()
	tally.report(plain)
	if lines := strings.Count(out.String(), "\n"); lines != maxSummary+1 || len(tally.counts) != maxGroups {
		t.Errorf("%d lines and %d groups, want %d and %d", lines, len(tally.counts), maxSummary+1, maxGroups)
	}
	if want := fmt.Sprintf("total=%d others=%d\n", each*workers, each*workers-maxSummary); !strings.HasSuffix(out.String(), want) {
		t.Errorf("the last line is not %q: %s", want, out)
	}
}
