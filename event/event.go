// Package event is what became of a request, a tunnel or a refusal: one value for
// each, and its writers. Whoever owns the request makes the Event when it ends,
// and, of what takes long, one when it begins.
//
//	sink := &event.Sink{Log: slog.Default()}
//	sink.SetAudit(event.NewAudit(file, false, slog.Default()))
//	…
//	sink.End(&event.Event{Kind: event.Request, ID: event.NewID(), …})
//
// A writer reads the Event, and nothing else: the line of the log, the record of
// the audit log and the summary of `ghapp-proxy run` are such, and a field has one
// name in each. An Event contains no secret: of a credential it has GitHub's
// fingerprint. What a client chose is clipped by the writers.
package event

import (
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"time"

	"ghapp-proxy/panics"
)

// Kind is what an Event is about.
type Kind string

// What an Event is about.
const (
	Request Kind = "request" // to a host that is served, or over http://
	Tunnel  Kind = "tunnel"  // a CONNECT to another host that was established
	Connect Kind = "connect" // a CONNECT, to whatever host, that came to nothing
)

// Phase tells the Events of one tunnel, or of one long request, apart. They have
// the same ID.
type Phase string

// A tunnel has an Event when it begins and one when it ends. So has a request
// that was sent on, if it takes long or records are required.
const (
	Begin Phase = "begin"
	End   Phase = "end"
)

// Decision is what was decided.
type Decision string

// What was decided.
const (
	Forwarded Decision = "forwarded" // it left, at least in part
	Refused   Decision = "refused"   // it is not allowed, or not understood
	Answered  Decision = "answered"  // by the proxy itself
	Failed    Decision = "failed"    // there was no credential for it, or no host, so that nothing left
)

// Event is what one request, tunnel or refusal was.
type Event struct {
	Kind     Kind
	Phase    Phase // "" where there is but one Event
	ID       string
	Time     time.Time // when it began
	Duration time.Duration
	Queued   time.Duration // that it waited for its turn
	GitHub   time.Duration // that GitHub was waited for: for credentials, and for the head of its answer
	Own      time.Duration // the proxy's own share of what came before the answer's body

	Client  string // its name in the configuration, "" for none
	Address string // where it connected from

	// Transparent says that the connection was to the host, as of a client that does not know of the proxy.
	Transparent bool

	// Of a grant: who asked and what for, as its first link says that says so, and all
	// of its links, from the root on.
	Actor, Purpose string
	Grant          []Link
	GrantEnds      time.Time
	Token          *Token // by which the client was told, nil for none

	Method string
	Host   string // of a CONNECT, and over http://, with the port
	Path   string // without the query, which may hold secrets

	Decision  Decision
	DecidedBy string // the key of the configuration that refused, "" if none did
	Rule      int    // the [[rule]] that was taken, from 1; 0 for none
	Err       error  // why it was refused, or why the answer is not complete

	Operation   string
	Subject     string // "owner/repository"
	OtherOwners int
	GraphQL     string   // "query" or "mutation"
	Fields      []string // of GraphQL, at the root
	Refs        []string // that a push moves, where pushes are limited

	Credential   string // "installation", "jwt", "basic", "keep", "none"
	App          string
	Installation int64
	Fingerprint  string // of the installation token that left, as GitHub's audit log has it
	Replaced     string // the scheme of the credential that the tool sent, which did not leave
	Placeholder  bool   // the client holds one, or got one
	OtherSite    bool   // it is for a web page of another site, and got no credential
	Fallback     bool   // no installation covers the owner
	Uncovered    error  // why it left with less than it needed
	Tries        int    // how often it was sent

	Destination     string // the address that a tunnel was refused for
	Status          int    // what the client was answered, 0 for nothing
	GitHubStatus    int    // what GitHub answered, 0 for nothing
	GitHubRequestID string
	Cache           string // how the answer came of the cache: "hit", "validated", "changed", "shared"; "" where there was nothing in it
	Sent            int64  // bytes to the host, by a tunnel
	Received        int64  // bytes by the client

	Early      bool // it was refused before anybody looked at what it asks for
	Level      slog.Level
	Fault      *panics.Fault // nil for none
	Unrecorded bool          // there are many of the kind: it is for the log only
}

// Link is a link of a grant, and what whoever made it says of whom it is for.
type Link struct {
	ID      string `json:"id"`
	Actor   string `json:"actor,omitempty"`
	Purpose string `json:"purpose,omitempty"`
}

// Token is what a token says, of whoever holds it, that made it a client.
type Token struct {
	Issuer  string            `json:"issuer"` // its name in the configuration
	Subject string            `json:"subject"`
	Claims  map[string]string `json:"claims"` // that decided
}

// NewID names a request or a tunnel, in all that is written about it and in what
// its client is told.
func NewID() string {
	s := ids.Get().(*sheet)
	if s.left == "" {
		s.print()
	}
	id := s.left[:idLength]
	s.left = s.left[idLength:]
	ids.Put(s)
	return id
}

// sheet has IDs that were not used yet, so that not each is made by itself.
type sheet struct{ left string }

var ids = sync.Pool{New: func() any { return new(sheet) }}

const (
	// idLength is that of rand.Text: 130 bits.
	idLength = 26
	// idsAtOnce are on a sheet, in which all are kept as long as one is.
	idsAtOnce = 16
)

// print makes IDs.
func (s *sheet) print() {
	var text [idsAtOnce * idLength]byte
	rand.Read(text[:])
	for i, c := range text {
		text[i] = base32[c%byte(len(base32))]
	}
	s.left = string(text[:])
}

const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // RFC 4648, section 6

// maxText is how much is written of a text that a client chooses, in bytes.
const maxText = 1 << 10

// Clip is as much of a text as is written.
func Clip(text string) string {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}
