package admin

import "testing"

// TestFeedBehind: who does not take what it is told holds up nobody, and gets all of it
// later.
func TestFeedBehind(t *testing.T) {
	f := new(feed)
	updates, ok := f.join(func(chan struct{}) {})
	if !ok {
		t.Fatal("it cannot join")
	}
	defer f.leave(updates)
	for _, now := range []map[string]string{{"a": "1", "b": "1"}, {"a": "2", "b": "1"}, {"a": "2", "b": "2"}} {
		if err := f.tell(now); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := string(<-updates), `{"a":"2","b":"2"}`; got != want {
		t.Errorf("it is told %s, want %s", got, want)
	}
	if err := f.tell(map[string]string{"a": "2", "b": "3"}); err != nil {
		t.Fatal(err)
	}
	if got, want := string(<-updates), `{"b":"3"}`; got != want {
		t.Errorf("it is told %s, want %s", got, want)
	}
}
