package githubtest

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Installation is an App installed on an account.
type Installation struct {
	ID           int64 // chosen by the server if 0
	App          int64
	Account      string            // login
	Repositories []int64           // nil: repository_selection "all"
	Permissions  map[string]string // nil: those of the App
	SuspendedAt  time.Time         // zero: not suspended

	account *Account
	created time.Time
}

// Install installs an App on an account.
func (s *Server) Install(in Installation) (Installation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, account := s.world.app(in.App), s.world.account(in.Account)
	if app == nil || account == nil {
		return Installation{}, fmt.Errorf("install App %d on %s: no such App or account", in.App, in.Account)
	}
	if in.ID == 0 {
		in.ID = s.world.newID()
	}
	if in.Permissions == nil {
		in.Permissions = app.Permissions
	}
	in.Permissions = maps.Clone(in.Permissions)
	in.Repositories = slices.Clone(in.Repositories)
	in.account, in.created = account, s.world.epoch
	kept := in
	kept.Permissions = maps.Clone(in.Permissions)
	s.world.installations[in.ID] = &kept
	return in, nil
}

// Uninstall removes the installation. Its tokens die with it.
func (s *Server) Uninstall(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.world.installations, id)
}

// Reinstall removes the installation and installs its App again on the same
// account, under a new id, which it returns.
func (s *Server) Reinstall(id int64) (int64, error) {
	s.mu.Lock()
	old := s.world.installations[id]
	if old == nil {
		s.mu.Unlock()
		return 0, fmt.Errorf("reinstall: no installation %d", id)
	}
	again := *old
	again.Account = old.account.Login
	delete(s.world.installations, id)
	s.mu.Unlock()
	again.ID = 0
	in, err := s.Install(again)
	return in.ID, err
}

// Suspend suspends the installation: it stays visible to its App, but mints
// nothing, and its tokens are refused.
func (s *Server) Suspend(id int64) { s.setSuspended(id, s.now()) }

// Unsuspend ends a suspension.
func (s *Server) Unsuspend(id int64) { s.setSuspended(id, time.Time{}) }

func (s *Server) setSuspended(id int64, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.world.installations[id]; in != nil {
		in.SuspendedAt = at
	}
}

// Select limits the installation to the repositories of the given ids; none
// given, it covers all repositories of its account again.
func (s *Server) Select(id int64, repositories ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.world.installations[id]; in != nil {
		in.Repositories = slices.Clone(repositories)
	}
}

// Grant sets one permission of the installation; an empty level withdraws it.
// Tokens already minted lose what is withdrawn.
func (s *Server) Grant(id int64, permission, level string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.world.installations[id]
	if in == nil {
		return
	}
	if level == "" {
		delete(in.Permissions, permission)
		return
	}
	in.Permissions[permission] = level
}

// Installation returns the App's installation on the account.
func (s *Server) Installation(app int64, login string) (Installation, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.world.installationOn(app, s.world.account(login))
	if in == nil {
		return Installation{}, false
	}
	out := *in
	out.Account = in.account.Login
	out.Permissions = maps.Clone(in.Permissions)
	out.Repositories = slices.Clone(in.Repositories)
	return out, true
}

func (w *world) installationOn(app int64, account *Account) *Installation {
	for _, in := range w.installationsOf(app) {
		if account != nil && in.account == account {
			return in
		}
	}
	return nil
}

// installationsOf lists the App's installations by id.
func (w *world) installationsOf(app int64) []*Installation {
	var out []*Installation
	for _, id := range slices.Sorted(maps.Keys(w.installations)) {
		if in := w.installations[id]; in.App == app {
			out = append(out, in)
		}
	}
	return out
}

// covers reports whether the installation includes the repository.
func (in *Installation) covers(r *repository) bool {
	return in.account == r.owner && (len(in.Repositories) == 0 || slices.Contains(in.Repositories, r.id))
}

func (in *Installation) selection() string {
	if len(in.Repositories) > 0 {
		return "selected"
	}
	return "all"
}
