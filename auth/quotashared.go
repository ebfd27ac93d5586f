package auth

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"ghapp-proxy/github"
)

// quotaTopic is what replicas tell of the limits of installations.
const quotaTopic = "quota"

// quotaText is what is left of an installation's limits, for other replicas.
type quotaText struct {
	Installation github.InstallationID
	Windows      [resources]windowText
}

type windowText struct{ Limit, Remaining, Reset uint32 }

// observeQuota takes the head of an answer in, and tells other replicas where that is worth it: not
// of each request.
func (m *minter) observeQuota(h http.Header) {
	if m.quota.observe(h, m.clock.now()) && m.vault.isOpen() {
		m.spawn(func(ctx context.Context) { m.vault.tellQuota(ctx, m.id, m.quota) })
	}
}

// tellQuota tells other replicas, those of now and those that come.
func (v *vault) tellQuota(ctx context.Context, id github.InstallationID, q *quota) {
	said := quotaText{Installation: id}
	var last uint32
	for i := range q.windows {
		w := &q.windows[i]
		state := w.state.Load()
		said.Windows[i] = windowText{w.limit.Load(), uint32(state), uint32(state >> 32)}
		last = max(last, said.Windows[i].Reset)
	}
	text, err := json.Marshal(said)
	if err != nil {
		return
	}
	v.put(v.quotaKey(id), filed{newGeneration(), text, min(time.Until(time.Unix(int64(last), 0)), maxReset)})
	if says := v.seal(ctx, quotaTopic, newGeneration(), text); says != nil {
		v.Tell(quotaTopic, says)
	}
}

func (v *vault) quotaKey(id github.InstallationID) string {
	return v.key("quota", strconv.FormatInt(int64(id), 10))
}

// hearQuota takes in what another replica tells of an App's quotas, and reports whether it is of
// this App.
func (c *caller) hearQuota(says []byte) bool {
	_, text, ok := c.vault.open(c.lifetime, quotaTopic, says)
	if ok {
		c.takeQuota(text)
	}
	return ok
}

// recallQuota takes in what other replicas have told of an installation's quota.
func (m *minter) recallQuota(ctx context.Context) {
	if _, text, ok := m.vault.get(ctx, m.vault.quotaKey(m.id)); ok {
		m.takeQuota(text)
	}
}

func (c *caller) takeQuota(text []byte) {
	var said quotaText
	if json.Unmarshal(text, &said) != nil {
		return
	}
	now, q := c.clock.now(), c.quotas.of(said.Installation)
	for i, w := range said.Windows {
		if reset := time.Unix(int64(w.Reset), 0); w.Limit > 0 && reset.After(now) && reset.Before(now.Add(maxReset)) {
			q.windows[i].observe(w.Limit, w.Remaining, w.Reset)
		}
	}
}
