package githubtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// AccountType is what kind of account an owner is.
type AccountType string

// The kinds of accounts.
const (
	TypeUser         AccountType = "User"
	TypeOrganization AccountType = "Organization"
	TypeEnterprise   AccountType = "Enterprise"
	typeBot          AccountType = "Bot" // what an App acts as
)

// Account is a user, an organization or an enterprise. Its login, for an
// enterprise the slug, compares case-insensitively.
type Account struct {
	ID    int64
	Login string
	Type  AccountType
}

// Repo is a repository.
type Repo struct {
	ID          int64 // chosen by the server if 0
	Owner       string
	Name        string
	Private     bool
	Description string
}

// FullName is owner/name.
func (r Repo) FullName() string { return r.Owner + "/" + r.Name }

// world is the state of the fake. Server.mu guards it.
type world struct {
	nextID        int64
	keys          int                     // private keys given out
	epoch         time.Time               // when things were created
	accounts      map[string]*Account     // lower-case login → account
	repos         map[int64]*repository   // id → repository
	renames       map[string]int64        // lower-case former owner/name → repository id
	apps          []*App                  // by creation
	installations map[int64]*Installation // id → installation
	blobs         map[string]*blob        // SHA-256 of the content → content
	signed        map[string]*signature   // signature → what it allows
	remoteAuth    map[string]bool         // credentials for objects of LFS
}

// repository is the state behind a Repo.
type repository struct {
	id          int64
	owner       *Account
	name        string
	private     bool
	description string
	dir         string // bare git repository
	created     time.Time
	updated     time.Time
	issues      []*issue // issues and pulls, by number
	releases    []*release
	workflows   []*workflow
}

func newWorld() world {
	return world{
		nextID:        7_000_000,
		epoch:         time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC),
		accounts:      make(map[string]*Account),
		repos:         make(map[int64]*repository),
		renames:       make(map[string]int64),
		installations: make(map[int64]*Installation),
		blobs:         make(map[string]*blob),
		signed:        make(map[string]*signature),
		remoteAuth:    make(map[string]bool),
	}
}

func (w *world) newID() int64 {
	w.nextID++
	return w.nextID
}

func (w *world) account(login string) *Account { return w.accounts[strings.ToLower(login)] }

func (w *world) accountByID(id int64) *Account {
	for _, a := range w.accounts {
		if a.ID == id {
			return a
		}
	}
	return nil
}

func (r *repository) fullName() string { return r.owner.Login + "/" + r.name }

func (r *repository) export() Repo {
	return Repo{ID: r.id, Owner: r.owner.Login, Name: r.name, Private: r.private, Description: r.description}
}

// repo finds a repository by its present name.
func (w *world) repo(owner, name string) *repository {
	for _, r := range w.repos {
		if strings.EqualFold(r.owner.Login, owner) && strings.EqualFold(r.name, name) {
			return r
		}
	}
	return nil
}

// renamed finds a repository by a former name.
func (w *world) renamed(owner, name string) *repository {
	return w.repos[w.renames[strings.ToLower(owner+"/"+name)]]
}

// reposOf lists the owner's repositories by id.
func (w *world) reposOf(owner *Account) []*repository {
	var out []*repository
	for _, id := range slices.Sorted(maps.Keys(w.repos)) {
		if r := w.repos[id]; r.owner == owner {
			out = append(out, r)
		}
	}
	return out
}

func (w *world) app(id int64) *App {
	for _, a := range w.apps {
		if a.ID == id {
			return a
		}
	}
	return nil
}

// AddAccount adds a user, organization or enterprise. An id of 0 is chosen by
// the server.
func (s *Server) AddAccount(a Account) (Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.Login == "" || strings.Contains(a.Login, "/") {
		return Account{}, fmt.Errorf("add account: bad login %q", a.Login)
	}
	if s.world.account(a.Login) != nil {
		return Account{}, fmt.Errorf("add account: login %q is taken", a.Login)
	}
	if a.ID == 0 {
		a.ID = s.world.newID()
	}
	s.world.accounts[strings.ToLower(a.Login)] = &a
	return a, nil
}

// AddRepo adds a repository with a first commit, whose owner exists.
func (s *Server) AddRepo(r Repo) (Repo, error) {
	return s.addRepo(r, defaultHistory(r))
}

func (s *Server) addRepo(r Repo, history string) (Repo, error) {
	s.mu.Lock()
	owner := s.world.account(r.Owner)
	taken := s.world.repo(r.Owner, r.Name) != nil
	if r.ID == 0 {
		r.ID = s.world.newID()
	}
	s.mu.Unlock()
	if owner == nil || taken || r.Name == "" {
		return Repo{}, fmt.Errorf("add repository %s: no such owner, or name taken or empty", r.FullName())
	}
	dir, err := s.createGit(r.ID, history)
	if err != nil {
		return Repo{}, fmt.Errorf("add repository %s: %w", r.FullName(), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	repo := &repository{
		id: r.ID, owner: owner, name: r.Name, private: r.Private, description: r.Description,
		dir: dir, created: s.world.epoch, updated: s.world.epoch,
	}
	s.world.repos[r.ID] = repo
	return repo.export(), nil
}

// Repo returns the repository of that present name.
func (s *Server) Repo(owner, name string) (Repo, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.world.repo(owner, name); r != nil {
		return r.export(), true
	}
	return Repo{}, false
}

// Rename renames or transfers the repository. GitHub redirects from the old
// name until something else takes it.
func (s *Server) Rename(owner, name, newOwner, newName string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, to := s.world.repo(owner, name), s.world.account(newOwner)
	if r == nil || to == nil {
		return fmt.Errorf("rename %s/%s to %s/%s: no such repository or owner", owner, name, newOwner, newName)
	}
	s.world.renames[strings.ToLower(r.fullName())] = r.id
	r.owner, r.name = to, newName
	return nil
}

// RenameAccount changes a login. Unlike for repositories, GitHub does not
// redirect API requests from an old login, only those that name a repository.
func (s *Server) RenameAccount(login, newLogin string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.world.account(login)
	if a == nil || s.world.account(newLogin) != nil {
		return fmt.Errorf("rename account %s to %s: no such account, or login taken", login, newLogin)
	}
	for _, r := range s.world.reposOf(a) {
		s.world.renames[strings.ToLower(r.fullName())] = r.id
	}
	delete(s.world.accounts, strings.ToLower(login))
	a.Login = newLogin
	s.world.accounts[strings.ToLower(newLogin)] = a
	return nil
}
