package governor

import "time"

// Limits are GitHub's secondary limits: docs.github.com "Rate limits for the REST API" and "Rate limits and query
// limits for the GraphQL API". What is zero does not limit.
type Limits struct {
	Concurrent       int // requests at once, of the REST API and of GraphQL together
	Points           int // of the REST API in a minute
	GraphQLPoints    int // of GraphQL in a minute
	CreationsAMinute int
	CreationsAnHour  int
	MintsAnHour      int           // tokens of an App
	WritePause       time.Duration // between requests that change something, where there are many
}

// GitHub are the limits of github.com. Of the hundred requests at once some are left to those whose clients have
// given up, which GitHub still works on.
var GitHub = Limits{
	Concurrent: 90, Points: 900, GraphQLPoints: 2000, CreationsAMinute: 80, CreationsAnHour: 500, MintsAnHour: 2000,
	WritePause: time.Second,
}

const (
	// DefaultWait is how long a request waits for its turn.
	DefaultWait = 30 * time.Second
	// maxWaiting bounds how many requests of a bucket wait, and maxWaitingEach those of one client.
	maxWaiting, maxWaitingEach = 32768, 2048
	// writeBurst is how many requests may change something without a pause: GitHub asks for one where there is "a large
	// number", in "Best practices for using the REST API".
	writeBurst = 30
)

// Settings are what a Governor is told. The zero value lets everything leave at once.
type Settings struct {
	On        bool
	Limits    Limits        // of github.com and ghe.com
	Server    Limits        // of Enterprise Server, whose limits are off unless somebody turns them on
	ReadWait  time.Duration // how long what only reads waits for its turn
	WriteWait time.Duration // how long what changes something does

	// Minute is how long a minute of the limits is, and a sixtieth of an hour; 0 means what it says. Tests have less time.
	Minute time.Duration
}

// Default are the settings where nothing else is said.
var Default = Settings{On: true, Limits: GitHub, ReadWait: DefaultWait, WriteWait: DefaultWait}

func (s *Settings) minute() time.Duration {
	if s.Minute > 0 {
		return s.Minute
	}
	return time.Minute
}

// wait is how long a class waits at most.
func (s *Settings) wait(c Class) time.Duration {
	if c.writes() {
		return s.WriteWait
	}
	return s.ReadWait
}
