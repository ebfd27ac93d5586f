package auth

import (
	"context"

	"ghapp-proxy/github"
)

// sharedToken is what a token is shared under that is filed under key, which names its App.
func sharedToken(key string) string { return "shared|" + key }

// mintForAll mints a token of another generation than one, and files it here and for other replicas, or
// takes what one of them has minted.
func (t *tokens) mintForAll(ctx context.Context, key string, m *minter, narrow *github.Narrowing, besides uint64) (token *Token, err error) {
	used, file := m.vault.claim(ctx, sharedToken(key), besides, func(generation uint64, text []byte) (ok bool) {
		token, err, ok = t.takeShared(key, m, generation, text)
		return ok
	})
	if used {
		return token, err
	}
	var made filed
	defer func() { file(made) }() // also where there is a fault
	if token, err = m.mint(ctx, narrow); err != nil {
		t.rememberRefusal(m.flight(key), err)
		if besides == 0 { // else there may be one that is good
			made = m.refusalFor(err)
		}
		return nil, err
	}
	if use := token.until.Sub(m.clock.now()); use > 0 { // else an old one may be good for longer
		t.file(issued{Token: token, by: m, key: key}, use)
		made = tokenFiled(token, m)
	}
	return token, nil
}

// takeShared takes in what another replica has filed. It is not ok if that is of no use.
func (t *tokens) takeShared(key string, m *minter, generation uint64, text []byte) (token *Token, err error, ok bool) {
	if refused, ttl := m.refusalIn(text); refused != nil {
		t.remember(m.flight(key), refused, ttl)
		return nil, refused, true
	}
	if len(text) == 0 || text[0] != isAnswer {
		return nil, nil, false
	}
	if token, ok = decodeToken(generation, text[1:], m.clock); !ok || !m.clock.now().Before(token.until) {
		return nil, nil, false
	}
	token.grant = m.keep(token.grant)
	t.file(issued{Token: token, by: m, key: key, theirs: true}, token.until.Sub(m.clock.now()))
	t.spawn(m.recallQuota)
	return token, nil, true
}

// dropTopic is what replicas tell of tokens that GitHub refuses.
const dropTopic = "drop"

// tellDrop tells other replicas that a token is of no use any more.
func (v *vault) tellDrop(generation uint64) {
	if !v.isOpen() {
		return
	}
	if says := v.seal(v.lifetime, dropTopic, generation, nil); says != nil {
		v.Tell(dropTopic, says)
	}
}

// hearDrop drops a token of which another replica has said that it is of no use any more.
func (t *tokens) hearDrop(callers []*caller, says []byte) {
	for _, c := range callers {
		if generation, _, ok := c.vault.open(c.lifetime, dropTopic, says); ok {
			for _, token := range t.issued.take(func(i issued) bool { return i.Generation == generation }) {
				t.memory.delete(token.key, generation)
			}
			return
		}
	}
}

// tokenFiled is a token as it is filed for other replicas.
func tokenFiled(token *Token, m *minter) filed {
	return filed{token.Generation, append([]byte{isAnswer}, token.encode(m.clock)...), token.until.Sub(m.clock.now())}
}

// offer files anew what this replica has minted, where the store has none.
func (t *tokens) offer() {
	t.issued.each(func(_ string, token issued) {
		m := token.by
		if current := t.valid(token.key, m.clock.now()); current == nil || current.Generation != token.Generation {
			return
		}
		key, file := sharedToken(token.key), tokenFiled(token.Token, m)
		if value := m.vault.sealed(key, file); value != nil {
			m.vault.Offer(key, value, file.ttl)
		}
	})
}
