package event

import (
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/internal/poison"
	"ghapp-proxy/spool"
)

// Record is one line of the audit log: what one request or one CONNECT was,
// who sent it, and what was decided and why. audit.schema.json describes it. A
// CONNECT to a served host has none of its own, only the requests inside. Nor has
// a client that is asked for its secret, and one that keeps sending a wrong one; of
// what a client sends above its requests_per_minute 60 a minute have one.
//
// It contains no secret: of a credential it has GitHub's fingerprint. Long texts
// are cut off.
type Record struct {
	Time    time.Time `json:"time"` // when it began
	ID      string    `json:"id"`   // of the request or tunnel, random; in its line of the log as well
	Kind    Kind      `json:"kind"`
	Phase   Phase     `json:"phase,omitempty"`   // "" where there is but one record
	Client  string    `json:"client,omitempty"`  // its name in the configuration
	Address string    `json:"address,omitempty"` // where it connected from

	Transparent bool `json:"transparent,omitempty"` // its connection was to the host, and not to the proxy

	Actor   string `json:"actor,omitempty"` // of a grant: who asked, and what for
	Purpose string `json:"purpose,omitempty"`
	Grant   []Link `json:"grant,omitempty"` // its links, from the root on
	Token   *Token `json:"token,omitempty"` // by which the client was told

	Method string `json:"method"`
	Host   string `json:"host"`           // of a CONNECT, and over http://, with the port
	Path   string `json:"path,omitempty"` // without the query

	Decision  Decision `json:"decision"`
	DecidedBy string   `json:"decided_by,omitempty"` // the key of the configuration: "client.agent.deny[1]", "rule[2]"
	Reason    string   `json:"reason,omitempty"`     // of a refusal, or of an answer that is not complete

	Operation    string   `json:"operation,omitempty"`
	Subject      string   `json:"subject,omitempty"` // "owner/repository"
	OtherOwners  int      `json:"other_owners,omitempty"`
	GraphQL      string   `json:"graphql,omitempty"` // "query" or "mutation"
	Fields       []string `json:"fields,omitempty"`  // of GraphQL, at the root: the first maxFields
	Refs         []string `json:"refs,omitempty"`    // that a push moves, where pushes are limited
	App          string   `json:"app,omitempty"`
	Installation int64    `json:"installation,omitempty"`
	Credential   string   `json:"credential,omitempty"`   // what left: "installation", "jwt", "basic", "keep", "none"
	Fingerprint  string   `json:"hashed_token,omitempty"` // of the installation token that left

	Status          int     `json:"status,omitempty"`
	Cache           string  `json:"cache,omitempty"`
	GitHubRequestID string  `json:"github_request_id,omitempty"`
	Milliseconds    float64 `json:"duration_ms"`
	Sent            int64   `json:"bytes_sent,omitempty"`     // to the host, by a tunnel
	Received        int64   `json:"bytes_received,omitempty"` // by the client
}

// maxFields is how many root fields of a GraphQL document are recorded.
const maxFields = 50

// recordOf is the record of an Event.
func recordOf(e *Event) Record {
	record := Record{
		Time: e.Time.UTC(), ID: e.ID, Kind: e.Kind, Phase: e.Phase, Client: e.Client, Address: e.Address, Transparent: e.Transparent,
		Actor: e.Actor, Purpose: e.Purpose, Grant: e.Grant, Token: e.Token,
		Method: Clip(e.Method), Host: Clip(e.Host), Path: Clip(e.Path),
		Decision: e.Decision, DecidedBy: e.DecidedBy,
		Operation: e.Operation, Subject: Clip(e.Subject), OtherOwners: e.OtherOwners, GraphQL: e.GraphQL, Refs: clipped(e.Refs),
		Fields: clipped(e.Fields[:min(len(e.Fields), maxFields)]),
		App:    e.App, Installation: e.Installation, Credential: e.Credential, Fingerprint: e.Fingerprint,
		Status: e.Status, Cache: e.Cache, GitHubRequestID: e.GitHubRequestID, Milliseconds: float64(e.Duration.Microseconds()) / 1000,
		Sent: e.Sent, Received: e.Received,
	}
	if record.DecidedBy == "" && e.Rule != 0 {
		record.DecidedBy = "rule[" + strconv.Itoa(e.Rule) + "]"
	}
	if e.Err != nil {
		record.Reason = Clip(e.Err.Error())
	}
	if e.Credential != "" && (e.Decision == Refused || e.Decision == Failed) {
		record.Credential = "none" // whatever it would have been, it did not leave
	}
	return record
}

func clipped(texts []string) []string {
	var list []string
	for _, text := range texts {
		list = append(list, Clip(text))
	}
	return list
}

// Audit writes Records, many of them in one Write where many come. What cannot be
// written is lost: a full disk, or a pipe that nobody reads, does not stop the proxy, but
// is logged as an error, once in lostEvery. A process that is killed loses the records of
// the last spool.Delay; Flush leaves none. A nil *Audit writes nothing. It is safe for
// concurrent use.
type Audit struct {
	to       *spool.Writer
	log      *slog.Logger
	required bool // nothing may leave of which there is no record

	lost atomic.Int64 // records since one was written
	all  atomic.Int64 // that were lost since the start
	mu   sync.Mutex
	next time.Time // of an error in the log
}

// lostEvery is how often the log says that records are lost.
const lostEvery = time.Minute

// NewAudit returns an Audit that writes each record as a line of JSON; nil if to is.
// Where records are required, Begin fails if it cannot write, and returns when it has.
func NewAudit(to io.Writer, required bool, log *slog.Logger) *Audit {
	if to == nil {
		return nil
	}
	a := &Audit{to: spool.NewWriter(to), log: log, required: required}
	a.to.Report = a.report
	return a
}

// Required reports whether nothing may leave of which there is no record.
func (a *Audit) Required() bool { return a != nil && a.required }

// Lost is how many records could not be written since the start.
func (a *Audit) Lost() int64 {
	if a == nil {
		return 0
	}
	return a.all.Load()
}

// Flush waits until all is written that was recorded before, for so long at most.
func (a *Audit) Flush(within time.Duration) {
	if a != nil {
		a.to.Flush(within)
	}
}

// begin writes the record of something that is about to leave. Where records
// are required, it fails if that cannot be written now: it does not leave a moment
// before it is on record, also if the process is killed.
func (a *Audit) begin(e *Event) error {
	if a == nil {
		return nil
	}
	if !a.required {
		a.write(e)
		return nil
	}
	return a.line(e, a.to.WriteNow)
}

// write writes the record of an Event. What becomes of it, report is told.
func (a *Audit) write(e *Event) {
	if a == nil {
		return
	}
	_ = a.line(e, func(line []byte) error { // it is counted
		_, err := a.to.Write(line)
		return err
	})
}

// line writes the record of an Event as a line of JSON, which write must not keep. What does not come to be written is
// counted; what becomes of the rest, report is told.
func (a *Audit) line(e *Event, write func([]byte) error) error {
	buf := lines.Get().(*[]byte)
	record := recordOf(e)
	line, err := record.appendTo((*buf)[:0])
	wrong := err != nil
	if !wrong {
		line = append(line, '\n')
		err = write(line)
	}
	if wrong || err == spool.ErrFull {
		a.lose(1, err)
	}
	if cap(line) <= maxLine {
		poison.Over(line)
		*buf = line
		lines.Put(buf)
	}
	return err
}

// lines are the memory of records, of up to maxLine bytes.
var lines = sync.Pool{New: func() any { return new([]byte) }}

const maxLine = 4 << 10

// report is told what became of some records.
func (a *Audit) report(lost int, err error) {
	if err != nil {
		a.lose(lost, err)
		return
	}
	if n := a.lost.Swap(0); n > 0 {
		a.log.Warn("the audit log is written again", "lost", n)
	}
}

// lose counts records that could not be written.
func (a *Audit) lose(n int, err error) {
	lost := a.lost.Add(int64(n))
	a.all.Add(int64(n))
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := time.Now(); !now.Before(a.next) {
		a.next = now.Add(lostEvery)
		a.log.Error("the audit log cannot be written", "error", err, "lost", lost)
	}
}
