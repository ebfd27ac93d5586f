package auth_test

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/auth"
)

// TestAnswersForAll: what a replica files of an answer others have, under its key alone; nobody else reads it, or puts another in
// its place.
func TestAnswersForAll(t *testing.T) {
	store := newOctets()
	all := replicas(t, 2, &api{}, store, nil)
	answersOf := func(s *auth.Source) *auth.Answers {
		cred, err := s.Token(t.Context(), "github.com", auth.Want{Owner: owner("acme")})
		if err != nil {
			t.Fatal(err)
		}
		return s.Answers(&cred)
	}
	one, two := answersOf(all[0]), answersOf(all[1])
	one.File("a", []byte("the answer"))
	one.File("b", []byte("another answer"))
	if a, b := two.Recall(t.Context(), "a"), two.Recall(t.Context(), "b"); string(a) != "the answer" || string(b) != "another answer" {
		t.Errorf("the other one has %q and %q", a, b)
	}
	var values [][]byte
	store.change(func(key string, value []byte) []byte {
		if bytes.Contains(value, []byte("answer")) {
			t.Errorf("%q can be read: %q", key, value)
		}
		values = append(values, value)
		return value
	})
	for i, changed := 0, true; changed; i++ { // all octets of a value count
		changed = false
		store.change(func(key string, value []byte) []byte {
			if strings.Contains(key, "answer") && strings.HasSuffix(key, "|a") && i < len(value) {
				value[i] ^= 2
				changed = true
			}
			return value
		})
		if got := two.Recall(t.Context(), "a"); changed && got != nil || !changed && i < 50 {
			t.Errorf("with octet %d changed (%v) a is %q", i, changed, got)
		}
		one.File("a", []byte("the answer"))
	}
	dropped := store.dropped
	for _, value := range append(values, []byte("x"), nil) { // in any place
		store.change(func(string, []byte) []byte { return value })
		a, b := two.Recall(t.Context(), "a"), two.Recall(t.Context(), "b")
		if a != nil && string(a) != "the answer" || b != nil && string(b) != "another answer" || a != nil && b != nil {
			t.Errorf("after a swap a is %q and b is %q", a, b)
		}
	}
	if store.dropped == dropped {
		t.Error("nothing was dropped")
	}
	store.isAway(true)
	if got := two.Recall(t.Context(), "a"); got != nil {
		t.Errorf("%q comes of a store that is away", got)
	}
	alone := auth.New([]*auth.App{newApp("ci-bot", 12345)}, auth.Options{Transport: &api{}})
	t.Cleanup(alone.Close)
	if alone.Answers(&auth.Credential{App: newApp("ci-bot", 12345)}) != nil || all[0].Answers(&auth.Credential{}) != nil {
		t.Error("there are answers of others where nothing is shared")
	}
}

// TestAnswersFault: what panics while an answer is made ready ends nothing else, and is in the log.
func TestAnswersFault(t *testing.T) {
	logged, log := io.Pipe()
	defer logged.Close()
	app := newApp("ci-bot", 12345)
	source := auth.New([]*auth.App{app}, auth.Options{Transport: &api{}, Shared: newOctets(), Log: slog.New(slog.NewTextHandler(log, nil))})
	defer source.Close()
	source.Answers(&auth.Credential{App: app}).Go(func() { panic("an odd answer") })
	line, err := bufio.NewReader(logged).ReadString('\n')
	if err != nil || !strings.Contains(line, "level=ERROR") || !strings.Contains(line, "an answer was not kept for other replicas") {
		t.Errorf("the log has %q, %v", line, err)
	}
}

// TestAnswersEnd: an answer is filed for half an hour.
func TestAnswersEnd(t *testing.T) {
	store := newOctets()
	source := replicas(t, 1, &api{}, store, nil)[0]
	cred, err := source.Token(t.Context(), "github.com", auth.Want{Owner: owner("acme")})
	if err != nil {
		t.Fatal(err)
	}
	source.Answers(&cred).File("a", []byte("the answer"))
	found := false
	for key, end := range store.ends {
		if strings.Contains(key, "answer") {
			found = true
			if left := time.Until(end); left <= 0 || left > 30*time.Minute {
				t.Errorf("an answer ends in %s", left)
			}
		}
	}
	if !found {
		t.Error("nothing is filed")
	}
}
