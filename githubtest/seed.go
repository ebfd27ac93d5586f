package githubtest

import (
	"fmt"
	"strings"
	"time"
)

// The ids of the demo world that Seed makes.
const (
	CIBotID       int64 = 12345
	CIBotClientID       = "Iv23liCIBOTCIBOTCIBO"

	ReleaseBotID       int64 = 67890
	ReleaseBotClientID       = "Iv23liRELEASEBOTRELE"

	AcmeInstallation     int64 = 111 // ci-bot on acme, all repositories
	GlobexInstallation   int64 = 222 // release-bot on globex, all repositories
	InitechInstallation  int64 = 333 // ci-bot on initech, all repositories
	UmbrellaInstallation int64 = 444 // ci-bot on umbrella, suspended

	AcmeID     int64 = 5001
	GlobexID   int64 = 5002
	InitechID  int64 = 5003
	UmbrellaID int64 = 5004
	OctocatID  int64 = 583231

	WidgetsID    int64 = 9001 // acme/widgets, private
	RocketsID    int64 = 9002 // acme/rockets, private
	ToolsID      int64 = 9003 // globex/tools, private
	PaperID      int64 = 9004 // initech/paper, private
	HelloWorldID int64 = 9005 // octocat/hello-world, public
	VirusesID    int64 = 9006 // umbrella/viruses, private
)

// SeedIssues is how many issues acme/widgets has, two pages of them, and
// SeedPulls how many pull requests. The issues are 1 to SeedIssues, the pull requests
// follow; of its one release the tag is v1.0.0.
const (
	SeedIssues = 35
	SeedPulls  = 3
)

// Demo starts a server with the demo world.
func Demo(opts Options) (*Server, error) {
	s, err := New(opts)
	if err != nil {
		return nil, err
	}
	if err := s.Seed(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// Seed fills the server with the demo world: the Apps ci-bot and release-bot; the
// organizations acme, globex, initech and umbrella with an installation each; the user
// octocat with none; and a repository or two for everybody.
func (s *Server) Seed() error {
	for n := range 2 {
		go func() { _, _ = pooledKey(n) }() // both keys at once
	}
	for _, a := range []Account{
		{AcmeID, "acme", TypeOrganization},
		{GlobexID, "globex", TypeOrganization},
		{InitechID, "initech", TypeOrganization},
		{UmbrellaID, "umbrella", TypeOrganization},
		{OctocatID, "octocat", TypeUser},
	} {
		if _, err := s.AddAccount(a); err != nil {
			return err
		}
	}
	if err := s.seedRepos(); err != nil {
		return err
	}
	if err := s.seedActions(); err != nil {
		return err
	}
	return s.seedApps()
}

func (s *Server) seedApps() error {
	for _, a := range []*App{
		{ID: CIBotID, ClientID: CIBotClientID, Slug: "ci-bot", Owner: "acme"},
		{ID: ReleaseBotID, ClientID: ReleaseBotClientID, Slug: "release-bot", Owner: "globex"},
	} {
		if _, err := s.AddApp(a); err != nil {
			return err
		}
	}
	for _, in := range []Installation{
		{ID: AcmeInstallation, App: CIBotID, Account: "acme"},
		{ID: GlobexInstallation, App: ReleaseBotID, Account: "globex"},
		{ID: InitechInstallation, App: CIBotID, Account: "initech"},
		{ID: UmbrellaInstallation, App: CIBotID, Account: "umbrella", SuspendedAt: time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)},
	} {
		if _, err := s.Install(in); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) seedRepos() error {
	for _, r := range []Repo{
		{RocketsID, "acme", "rockets", true, "Rockets"},
		{ToolsID, "globex", "tools", true, "Tools"},
		{PaperID, "initech", "paper", true, "Paper"},
		{HelloWorldID, "octocat", "hello-world", false, "My first repository on GitHub!"},
		{VirusesID, "umbrella", "viruses", true, "Nothing to see here"},
	} {
		if _, err := s.AddRepo(r); err != nil {
			return err
		}
	}
	_, err := s.addRepo(Repo{WidgetsID, "acme", "widgets", true, "Widgets"}, widgetsHistory())
	if err != nil {
		return err
	}
	return s.seedWidgets()
}

func widgetsHistory() string {
	commits := []commit{
		{branch: defaultBranch, message: "Initial commit", files: []file{
			{"README.md", "# widgets\n\nThe widgets of acme.\n"},
			{"docs/guide.md", "# Guide\n"},
		}},
		{branch: defaultBranch, message: "Add main.go", files: []file{
			{"main.go", "package main\n\nfunc main() {}\n"},
			{"docs/installation", "Unpack it.\n"}, // a path that ends like an App route
		}},
		{branch: defaultBranch, message: "Add a file with a space", files: []file{{"docs/read me.txt", "Hi.\n"}}},
	}
	for i := range SeedPulls {
		commits = append(commits, commit{
			branch: fmt.Sprintf("feature-%d", i+1), from: defaultBranch,
			message: fmt.Sprintf("Feature %d", i+1),
			files:   []file{{fmt.Sprintf("feature%d.txt", i+1), "feature\n"}},
		})
	}
	return fastImport(commits, map[string]string{"v0.9.0": defaultBranch, "v1.0.0": defaultBranch})
}

// seedWidgets fills acme/widgets with issues, pull requests and a release.
func (s *Server) seedWidgets() error {
	oid, size, err := s.store(strings.NewReader("widgets, packed\n"))
	if err != nil {
		return fmt.Errorf("store asset: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, author := s.world.repos[WidgetsID], s.world.account("octocat")
	for i := range SeedIssues {
		is := s.addIssue(r, author, fmt.Sprintf("Widget %d is broken", i+1), "It does not turn.")
		is.labels = labels[:1]
	}
	s.addComment(r.issues[0], author, "Indeed.")
	for i := range SeedPulls {
		s.addPull(r, author, fmt.Sprintf("Feature %d", i+1), "Please merge.", fmt.Sprintf("feature-%d", i+1), defaultBranch)
	}
	rel := s.addRelease(r, author, "v1.0.0", "Version 1", "The first.")
	rel.assets = append(rel.assets, &asset{
		id: s.world.newID(), name: "widgets.txt", contentType: "text/plain",
		oid: oid, size: size, uploader: author, created: rel.created,
	})
	return nil
}
