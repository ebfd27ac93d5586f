package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/panics"
	"ghapp-proxy/rules"
)

// AuditRecord is one line of the audit log: what one request or one CONNECT was,
// who sent it, and what was decided and why. audit.schema.json describes it. A
// CONNECT to a served host has none of its own, only the requests inside. Nor has
// a client that is asked for its secret, and one that keeps sending a wrong one; of
// what a client sends above its requests_per_minute 60 a minute have one.
//
// It contains no secret: of a credential it has GitHub's fingerprint. Long texts
// are cut off.
type AuditRecord struct {
	Time    time.Time  `json:"time"` // when it began
	ID      string     `json:"id"`   // of the request or tunnel, random; in its line of the log as well
	Kind    AuditKind  `json:"kind"`
	Phase   AuditPhase `json:"phase,omitempty"`   // "" where there is but one record
	Client  string     `json:"client,omitempty"`  // its name in the configuration
	Address string     `json:"address,omitempty"` // where it connected from

	Method string `json:"method"`
	Host   string `json:"host"`           // of a CONNECT, and over http://, with the port
	Path   string `json:"path,omitempty"` // without the query

	Decision  AuditDecision `json:"decision"`
	DecidedBy string        `json:"decided_by,omitempty"` // the key of the configuration: "client.agent.deny[1]", "rule[2]"
	Reason    string        `json:"reason,omitempty"`     // of a refusal, or of an answer that is not complete

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
	GitHubRequestID string  `json:"github_request_id,omitempty"`
	Milliseconds    float64 `json:"duration_ms"`
	Sent            int64   `json:"bytes_sent,omitempty"`     // to the host, by a tunnel
	Received        int64   `json:"bytes_received,omitempty"` // by the client
}

// AuditKind is what a record is about.
type AuditKind string

// What a record is about.
const (
	AuditRequest AuditKind = "request" // to a host that is served, or over http://
	AuditTunnel  AuditKind = "tunnel"  // a CONNECT to another host that was established
	AuditConnect AuditKind = "connect" // a CONNECT, to whatever host, that came to nothing
)

// AuditPhase tells the records of one tunnel, or of one long request, apart. They
// have the same ID.
type AuditPhase string

// A tunnel has a record when it begins and one when it ends. So has a request
// that was sent on, if it takes long or records are required.
const (
	AuditBegin AuditPhase = "begin"
	AuditEnd   AuditPhase = "end"
)

// AuditDecision is what was decided.
type AuditDecision string

// What was decided.
const (
	AuditForwarded AuditDecision = "forwarded" // it left, at least in part
	AuditRefused   AuditDecision = "refused"   // it is not allowed, or not understood
	AuditAnswered  AuditDecision = "answered"  // by the proxy itself
	AuditFailed    AuditDecision = "failed"    // there was no credential for it, or no host, so that nothing left
)

// audit is the record of a request, of what is known by now.
func (x *exchange) audit(r *http.Request, w *recorder, took time.Duration) *AuditRecord {
	record := &AuditRecord{
		Time: x.start.UTC(), ID: x.id, Kind: AuditRequest, Client: x.session.clientName(), Address: r.RemoteAddr,
		Method: logged(r.Method), Host: logged(x.session.host.Name), Path: logged(x.path),
		Decision: AuditForwarded, DecidedBy: x.decidedBy(),
		Operation: x.route.Operation, OtherOwners: len(x.route.Others), Refs: x.refs,
		Installation: int64(x.credential.Installation), Credential: credentialName(x), GraphQL: graphQLKind(x.document), Fields: x.fields(),
		Status: w.status, GitHubRequestID: x.githubRequestID, Milliseconds: milliseconds(took), Received: w.bytes,
	}
	if x.route.Named() {
		record.Subject = logged(owner(x.route.Subject).String())
	}
	if x.credential.App != nil {
		record.App = x.credential.App.Name
	}
	if x.route.Rule != 0 && record.DecidedBy == "" {
		record.DecidedBy = fmt.Sprintf("rule[%d]", x.route.Rule)
	}
	switch refused := (*answer.Refusal)(nil); {
	case x.answer != nil:
		record.Decision = AuditAnswered
	case x.left && x.authorization != nil:
		record.Fingerprint = x.credential.Fingerprint()
	case x.left:
	case errors.As(x.err, &refused):
		record.Decision, record.Credential = decisionOf(refused), rules.None.String()
	default: // the client has left before
		record.Decision, record.Credential = AuditFailed, rules.None.String()
	}
	if x.err != nil {
		record.Reason = x.err.Error()
	}
	return record
}

// maxFields is how many root fields of a GraphQL document are recorded.
const maxFields = 50

// fields are the root fields of the document.
func (x *exchange) fields() []string {
	if x.document == nil {
		return nil
	}
	var names []string
	for _, name := range x.document.Fields[:min(len(x.document.Fields), maxFields)] {
		names = append(names, logged(name))
	}
	return names
}

// graphQLKind is what a document does, "" if there is none. What may change
// something is a mutation.
func graphQLKind(d *rules.Document) string {
	switch {
	case d == nil:
		return ""
	case d.Mutation:
		return "mutation"
	}
	return "query"
}

// longRequest is from when on a request has a record of its beginning.
const longRequest = 5 * time.Second

// leave notes that the request leaves, and has that recorded if it takes long.
func (x *exchange) leave(r *http.Request) {
	if x.left {
		return // it is tried again
	}
	x.left = true
	if x.records == nil || x.recorded {
		return
	}
	x.began = newBeginRecord(x.records, x.audit(r, &recorder{}, 0))
}

// beginRecord is the record of the beginning of a request, which it has if it takes
// long.
type beginRecord struct {
	records *auditLog
	record  *AuditRecord
	timer   *time.Timer

	mu      sync.Mutex
	over    bool // the request has ended
	written bool
}

func newBeginRecord(records *auditLog, record *AuditRecord) *beginRecord {
	record.Phase = AuditBegin
	b := &beginRecord{records: records, record: record}
	b.timer = time.AfterFunc(longRequest, b.write)
	return b
}

// write is what the timer calls.
func (b *beginRecord) write() {
	defer panics.Log(b.records.log, "a record could not be written")
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return // when the timer had fired
	}
	b.written = true
	b.record.Milliseconds = milliseconds(time.Since(b.record.Time))
	b.records.write(func() *AuditRecord { return b.record })
}

// end reports whether there is such a record. There will be none any more. A nil
// beginRecord has none.
func (b *beginRecord) end() (written bool) {
	if b == nil {
		return false
	}
	b.timer.Stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	return b.written
}

// recordFirst writes the record of a request's beginning before it leaves, where
// none may leave without.
func (x *exchange) recordFirst(r *http.Request) *answer.Refusal {
	if x.records == nil || !x.records.required {
		return nil
	}
	record := x.audit(r, &recorder{}, time.Since(x.start))
	record.Phase, record.Decision, record.Credential = AuditBegin, AuditForwarded, credentialName(x)
	if x.authorization != nil {
		record.Fingerprint = x.credential.Fingerprint()
	}
	refused := x.records.begin(record)
	x.recorded = refused == nil
	return refused
}

// end writes the record of a request that has ended.
func (x *exchange) end(r *http.Request, w *recorder, took time.Duration) {
	long := x.began.end() || x.recorded
	x.records.write(func() *AuditRecord {
		record := x.audit(r, w, took)
		if long {
			record.Phase = AuditEnd
		}
		return record
	})
}

// refusedRecord is the record of what is refused before it is a gateway's.
func refusedRecord(r *http.Request, c caller, refused *answer.Refusal) *AuditRecord {
	record := &AuditRecord{
		Time: time.Now().UTC(), ID: refused.ID, Kind: AuditConnect, Client: c.clientName(), Address: r.RemoteAddr,
		Method: logged(r.Method), Host: logged(r.URL.Host),
		Decision: decisionOf(refused), DecidedBy: refused.DecidedBy, Reason: refused.Error(), Status: refused.Status,
	}
	if r.Method != http.MethodConnect {
		path, _ := target(r)
		record.Kind, record.Path = AuditRequest, logged(path)
	}
	return record
}

// decisionOf tells what is not allowed from what does not work: a server's fault
// by its status, save for what the proxy does not implement.
func decisionOf(f *answer.Refusal) AuditDecision {
	if f.Status >= http.StatusInternalServerError && f.Status != http.StatusNotImplemented {
		return AuditFailed
	}
	return AuditRefused
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// githubRequestID is GitHub's id of an answer: docs.github.com,
// "Troubleshooting the REST API".
func githubRequestID(h http.Header) string {
	id := h.Get("X-Github-Request-Id")
	return id[:min(len(id), 100)]
}
