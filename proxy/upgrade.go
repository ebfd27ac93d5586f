package proxy

import "time"

// upgrade says that the connection of a request to a host that is not served
// becomes something else (101, RFC 9110, section 15.2.2). It still counts, and has
// its age.
func (x *exchange) upgrade() {
	s := x.session.slot
	s.upgraded.Store(true)
	if left, ends := x.session.endsIn(s.opened); ends && x.cut != nil {
		x.aging = time.AfterFunc(left, x.cut)
	}
}

// downgrade ends what upgrade began, if it did.
func (x *exchange) downgrade() {
	if x.aging != nil {
		x.aging.Stop()
	}
	if s := x.session.slot; s.upgraded.Load() {
		s.release()
	}
}
