package answer_test

import (
	"errors"
	"fmt"
	"testing"

	"ghapp-proxy/answer"
)

// locked is a Refuser.
type locked struct{}

func (locked) Error() string { return "the token is locked" }

func (locked) Refusal() *answer.Refusal {
	return &answer.Refusal{Status: 500, Title: "the token is locked", Remedy: "unlock it"}
}

func TestOf(t *testing.T) {
	own := &answer.Refusal{Status: 403, Title: "no"}
	for _, test := range []struct {
		err   error
		title string // "" for none
	}{
		{own, "no"},
		{fmt.Errorf("ask: %w", own), "no"},
		{locked{}, "the token is locked"},
		{fmt.Errorf("App ci-bot could not sign: %w", locked{}), "App ci-bot could not sign: the token is locked"},
		{errors.New("no answer"), ""},
		{nil, ""},
	} {
		got := answer.Of(test.err)
		if (got == nil) != (test.title == "") || got != nil && got.Title != test.title {
			t.Errorf("%v: %+v, want %q", test.err, got, test.title)
		}
	}
}
