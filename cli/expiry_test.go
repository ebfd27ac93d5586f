package cli

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/certs"
	"ghapp-proxy/config"
)

// lockedBuffer is a bytes.Buffer for several goroutines.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func TestWatchExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := &config.Config{Live: config.Live{Apps: []*auth.App{{Instance: "github.com"}}, StateDir: t.TempDir(), CA: config.CA{NameConstraints: true}}}
		cas, err := openAuthorities(cfg, onDisk(cfg))
		if err != nil {
			t.Fatal(err)
		}
		var said lockedBuffer
		warnings := func() int { return strings.Count(said.String(), "level=WARN") }
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan bool)
		go func() {
			cas.watchExpiry(ctx, slog.New(slog.NewTextHandler(&said, nil)))
			close(ended)
		}()
		time.Sleep(certs.AuthorityLifetime - certs.Notice - time.Hour)
		synctest.Wait()
		if warnings() != 0 {
			t.Errorf("more than 30 days before the end: %s", &said)
		}
		time.Sleep(3*24*time.Hour + time.Minute)
		synctest.Wait()
		if warnings() != 3 {
			t.Errorf("%d warnings in three days:\n%s", warnings(), &said)
		}
		for _, text := range []string{"the CA expires soon, on 2004-12-30", "ca/github.com.key", "run `ghapp-proxy ca --renew`"} {
			if !strings.Contains(said.String(), text) {
				t.Errorf("no %q in %s", text, &said)
			}
		}
		before := warnings()
		again, stop := context.WithCancel(t.Context())
		stop()
		cas.watchExpiry(again, slog.New(slog.NewTextHandler(&said, nil))) // a start
		if warnings() != before+1 {
			t.Errorf("%d warnings at a start, want one", warnings()-before)
		}
		end()
		<-ended // or the test never ends
	})
}
