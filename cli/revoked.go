package cli

import (
	"time"

	"ghapp-proxy/grant"
	"ghapp-proxy/proxy"
	"ghapp-proxy/shared"
)

// revoked is what is revoked at any of the replicas. nil is for one proxy.
type revoked struct {
	grants, placeholders *shared.Set
	more                 chan struct{} // receives when another replica has revoked a grant
}

func newRevoked(store *shared.Store) *revoked {
	if store == nil {
		return nil
	}
	r := &revoked{more: make(chan struct{}, 1)}
	r.placeholders = store.Set("placeholders", nil)
	r.grants = store.Set("grants", func() {
		select {
		case r.more <- struct{}{}:
		default:
		}
	})
	return r
}

// ofPlaceholders is the proxy's Options.Revoked.
func (r *revoked) ofPlaceholders() proxy.RevokedSet {
	if r == nil {
		return nil
	}
	return r.placeholders
}

// changed receives when another replica has revoked a grant.
func (r *revoked) changed() <-chan struct{} {
	if r == nil {
		return nil
	}
	return r.more
}

// tell tells the others what is revoked here.
func (r *revoked) tell(files *grant.Files) {
	if r == nil {
		return
	}
	list, _ := files.List() // what could not be read was logged
	things := make(map[string]time.Time, len(list))
	for _, one := range list {
		things[one.ID.String()] = one.Until
	}
	r.grants.Add(things)
}

// besides is what is revoked at any of the replicas, besides the files of this one.
func (r *revoked) besides(files *grant.Files) grant.Revocations {
	if r == nil {
		return files
	}
	return revokedGrants{files, r.grants}
}

// count is how many grants are revoked.
func (r *revoked) count(files *grant.Files) int {
	if r == nil {
		return files.Count()
	}
	return max(files.Count(), r.grants.Len()) // which has those of the files, unless it is full
}

// revokedGrants is what is revoked by files, or by another replica.
type revokedGrants struct {
	*grant.Files
	all *shared.Set
}

// Revoked implements grant.Revocations.
func (r revokedGrants) Revoked(ids []grant.ID) (id grant.ID, is bool, err error) {
	if id, is, err = r.Files.Revoked(ids); is || err != nil {
		return id, is, err
	}
	for _, id := range ids {
		if r.all.Has(id.String()) {
			return id, true, nil
		}
	}
	return grant.ID{}, false, nil
}
