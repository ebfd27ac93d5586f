//go:build unix

package cli

import (
	"testing"
	"time"

	"ghapp-proxy/grant"
	"ghapp-proxy/internal/redistest"
	"ghapp-proxy/shared"
)

// TestRevokedAtAnother: a grant that is revoked at one replica is at the others, which are told.
func TestRevokedAtAnother(t *testing.T) {
	server := redistest.Start(t)
	var all [2]*revoked
	for i := range all {
		store, err := shared.Open(shared.Options{URL: server.URL(), Patience: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		all[i] = newRevoked(store)
	}
	files := grant.Open(t.TempDir(), "")
	id, other := grant.ID{1}, grant.ID{2}
	all[0].grants.Add(map[string]time.Time{id.String(): time.Now().Add(time.Hour)})
	select {
	case <-all[1].changed():
	case <-time.After(30 * time.Second):
		t.Fatal("the other is not told")
	}
	for i, r := range all {
		if got, is, err := r.besides(files).Revoked([]grant.ID{other, id}); !is || err != nil || got != id {
			t.Errorf("Revoked at %d = %v, %t, %v", i, got, is, err)
		}
		if _, is, err := r.besides(files).Revoked([]grant.ID{other}); is || err != nil {
			t.Errorf("Revoked of another at %d = %t, %v", i, is, err)
		}
	}
	var none *revoked
	if none.besides(files) != grant.Revocations(files) || none.ofPlaceholders() != nil || none.changed() != nil {
		t.Error("one proxy asks others")
	}
	none.tell(files)
}
