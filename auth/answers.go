package auth

import (
	"context"
	"log/slog"
	"time"

	"ghapp-proxy/panics"
)

// answerTTL is for how long replicas keep an answer of GitHub's for each other: less than tokens have, so that a store
// that is full drops answers first.
const answerTTL = 30 * time.Minute

// Answers are what replicas keep of GitHub's answers to an App, sealed as its tokens are. They implement cache.Others.
type Answers struct {
	vault *vault
	log   *slog.Logger
}

// Answers are those of the App of a credential, nil where replicas share nothing or the credential is no App's.
func (s *Source) Answers(c *Credential) *Answers {
	if c.App == nil {
		return nil
	}
	for _, app := range s.candidates(c.App.Instance, c.App.Name) {
		if app.vault.isOpen() {
			return &Answers{app.vault, s.log}
		}
	}
	return nil
}

// Recall returns what a replica has filed under a key, nil for nothing.
func (a *Answers) Recall(ctx context.Context, key string) []byte {
	_, text, ok := a.vault.get(ctx, a.vault.key("answer", key))
	if !ok {
		return nil
	}
	return text
}

// File files a text for all replicas.
func (a *Answers) File(key string, text []byte) {
	a.vault.put(a.vault.key("answer", key), filed{newGeneration(), text, answerTTL})
}

// Go calls a function in a goroutine of its own, and logs its faults.
func (a *Answers) Go(work func()) {
	go func() {
		defer panics.Log(a.log, "an answer was not kept for other replicas")
		work()
	}()
}
