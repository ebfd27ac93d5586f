package cache

// recent is a list of the answers that are kept: the one that was used last first. It is container/list without an
// allocation for each.
type recent struct {
	first, last *Answer
	length      int
}

// place is an answer's in the list.
type place struct{ before, after *Answer }

// add puts an answer in front.
func (r *recent) add(a *Answer) {
	a.place = place{after: r.first}
	if r.first == nil {
		r.last = a
	} else {
		r.first.place.before = a
	}
	r.first = a
	r.length++
}

// remove takes out an answer that is in the list.
func (r *recent) remove(a *Answer) {
	if a.place.before == nil {
		r.first = a.place.after
	} else {
		a.place.before.place.after = a.place.after
	}
	if a.place.after == nil {
		r.last = a.place.before
	} else {
		a.place.after.place.before = a.place.before
	}
	a.place = place{}
	r.length--
}
