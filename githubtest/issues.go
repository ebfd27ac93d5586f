package githubtest

import (
	"strings"
	"time"
)

// issue is an issue or, if pull is set, a pull request.
type issue struct {
	id       int64
	repo     *repository
	number   int64
	title    string
	body     string
	state    string // open or closed
	author   *Account
	labels   []label
	comments []*comment
	created  time.Time
	updated  time.Time
	closed   time.Time
	pull     *pull
}

// pull is what a pull request has and an issue has not.
type pull struct {
	id         int64
	head, base string // branches of the same repository
	fork       string // commit of base when it was opened, "" for the seed's
	draft      bool
}

type comment struct {
	id      int64
	body    string
	author  *Account
	created time.Time
}

type label struct {
	id    int64
	name  string
	color string
}

// labels are the labels that every repository has.
var labels = []label{
	{101, "bug", "d73a4a"},
	{102, "documentation", "0075ca"},
	{103, "enhancement", "a2eeef"},
}

// labelsNamed returns the labels with these names; unknown names are new ones.
func labelsNamed(names []string) []label {
	out := []label{}
next:
	for i, name := range names {
		for _, l := range labels {
			if strings.EqualFold(l.name, name) {
				out = append(out, l)
				continue next
			}
		}
		out = append(out, label{int64(200 + i), name, "ededed"})
	}
	return out
}

// addIssue opens an issue. s.mu is held.
func (s *Server) addIssue(r *repository, author *Account, title, body string) *issue {
	now := s.clock().UTC().Truncate(time.Second)
	is := &issue{
		id: s.world.newID(), repo: r, number: int64(len(r.issues) + 1),
		title: title, body: body, state: "open", author: author, created: now, updated: now,
	}
	r.issues = append(r.issues, is)
	return is
}

func (s *Server) addPull(r *repository, author *Account, title, body, head, base string) *issue {
	is := s.addIssue(r, author, title, body)
	is.pull = &pull{id: s.world.newID(), head: head, base: base}
	return is
}

func (s *Server) addComment(is *issue, author *Account, body string) *comment {
	now := s.clock().UTC().Truncate(time.Second)
	cm := &comment{s.world.newID(), body, author, now}
	is.comments = append(is.comments, cm)
	is.updated = now
	return cm
}

// setState opens or closes the issue.
func (s *Server) setState(is *issue, state string) {
	is.state, is.closed = state, time.Time{}
	is.updated = s.clock().UTC().Truncate(time.Second)
	if state == "closed" {
		is.closed = is.updated
	}
}

// issue returns the issue or pull request of that number, nil if there is none.
func (r *repository) issue(number int64) *issue {
	if number < 1 || number > int64(len(r.issues)) {
		return nil
	}
	return r.issues[number-1]
}

// actor is whom the credential acts as: the bot account of its App.
func (c *call) actor() *Account {
	if c.access.token == nil {
		return nil
	}
	app := c.s.world.app(c.access.token.app)
	return &Account{ID: 41_000_000 + app.ID, Login: app.Slug + "[bot]", Type: typeBot}
}
