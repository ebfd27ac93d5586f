package admin

import "time"

// State is how the proxy is at one moment. There is no secret in it.
type State struct {
	Apps        []App    // in the order of the configuration
	GitHubs     []GitHub // the instances of the Apps
	Authorities []Authority
	Clients     []Client // in the order of the configuration; "" for who is no client
	Cache       Cache
	Governor    Governor
	Shared      *Shared // nil where nothing is shared
	Reload      Reload
	// Draining says that the proxy is about to end.
	Draining bool
	Grants   Grants

	Requests    int   // under way
	Tunnels     int   // open
	RecordsLost int64 // that the audit log could not be given, since the start
	LinesLeft   int64 // that were left out of the log because there were too many alike
}

// App is what is known of a GitHub App.
type App struct {
	Name, Host string
	Checked    time.Time // when GitHub was last asked with its key, zero for never
	Problem    string    // why there is no credential of it, "" for none
	Remedy     string

	// Since the start: what became of calls, or what GitHub complained of → how many.
	Mints, LookUps, Retries, Heals map[string]uint64

	Tokens        int // that are kept
	Installations []Installation
	Wrong         []Fault // what the configuration says and GitHub does not
}

// Fault is something that is wrong, and what can be done about it.
type Fault struct{ Problem, Remedy string }

// Installation is what is known of an installation of an App.
type Installation struct {
	ID      int64
	Account string    // where it is, "" if that is not known
	Tokens  int       // that are kept
	Minted  time.Time // when the newest of them was; zero for none
	Expires time.Time // when that ends
	Quotas  []Quota

	Waiting int       // requests that wait for GitHub's limits
	Why     string    // the limit that the next of them waits for, "" for none
	Paused  time.Time // until when GitHub wants nothing, zero for no such time
	Used    []Used    // of secondary limits
}

// Used is how much is used of a secondary limit.
type Used struct {
	Limit      string
	Used, Most int
}

// Quota is one of GitHub's limits, until its reset.
type Quota struct {
	Resource         string // as GitHub calls it
	Limit, Remaining int
	Reset            time.Time
}

// share is what is left, from 0 to 1.
func (q *Quota) share() float64 {
	if q.Limit <= 0 {
		return 0
	}
	return float64(q.Remaining) / float64(q.Limit)
}

// GitHub is what is known of a GitHub instance.
type GitHub struct {
	Host    string
	Reached time.Time     // when it answered last, zero for never
	Missed  time.Time     // when it could not be asked last, zero for never
	Problem string        // why it could not be asked then
	Offset  time.Duration // of its clock to ours
}

// Authority is a CA of the proxy's.
type Authority struct {
	Name    string // what it is for: "github.com"
	Expires time.Time
	Problem string // "" for none
	Remedy  string
}

// Client is what a client uses, and what it may do.
type Client struct {
	Name        string // "" for who is no client
	May         string // in a few words
	Connections int
	Requests    int // under way
	Waiting     int // requests and connections that wait for their turn
}

// Grants is what is known of secrets for a task.
type Grants struct {
	Revoked int    // each with all that were made from it
	Problem string // why none is good, "" if some may be
}

// Governor is what waited for GitHub's limits since the start.
type Governor struct {
	Waited  map[string]uint64 // limit → requests
	Refused map[string]uint64 // limit → requests
	Waiting time.Duration     // that they waited, all together
}

// Cache is what is kept of answers, and what that has saved since the start.
type Cache struct {
	Size, Used int64 // in bytes; Size is 0 where nothing is kept
	Answers    int
	Quiet      bool // GitHub's ETags are not what they should be, so that nothing is kept for a while

	Hits, Validated, Shared, Misses, Evicted, Recalled uint64
	BytesSaved, QuotaSaved                             uint64 // that GitHub did not send, and requests that cost no quota
}

// Shared is what replicas share, and of what use it was since the start.
type Shared struct {
	Away    bool
	Since   time.Time // of being away, or not
	Problem string    // why it is away
	Downs   int       // how often it was

	Values, Leases, Alone uint64 // what became of questions that one replica answers for all: another's answer, a lease, or that nobody could tell
	Slow, Lost, Dropped   uint64 // answers that came too late, writes that were lost, values that did not open
}

// Reload is what became of the configuration.
type Reload struct {
	Read     int       // how often it was put in force, the start included
	Since    time.Time // when the one in force was
	Failures int       // how often what was read was wrong
	Problem  string    // what was wrong with what was read last, "" if that is in force
	Restart  []string  // keys that wait for a restart
}
