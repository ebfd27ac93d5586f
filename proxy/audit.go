package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// AuditRecord is one line of the audit log: what one request or one CONNECT was,
// who sent it, and what was decided and why. audit.schema.json describes it. A
// CONNECT to a served host has none of its own, only the requests inside. Nor has
// a client that is asked for its secret, and one that keeps sending a wrong one.
//
// It contains no secret: of a credential it has GitHub's fingerprint. Long texts
// are cut off.
type AuditRecord struct {
	Time    time.Time `json:"time"` // when it began
	ID      string    `json:"id"`   // of the request, random
	Kind    AuditKind `json:"kind"`
	Client  string    `json:"client,omitempty"`  // its name in the configuration
	Address string    `json:"address,omitempty"` // where it connected from

	Method string `json:"method"`
	Host   string `json:"host"`           // of a CONNECT, and over http://, with the port
	Path   string `json:"path,omitempty"` // without the query

	Decision  AuditDecision `json:"decision"`
	DecidedBy string        `json:"decided_by,omitempty"` // the key of the configuration: "client.agent.deny[1]", "rule[2]"
	Reason    string        `json:"reason,omitempty"`     // of a refusal, or of an answer that is not complete

	Operation    string   `json:"operation,omitempty"`
	Subject      string   `json:"subject,omitempty"` // "owner/repository"
	OtherOwners  int      `json:"other_owners,omitempty"`
	Refs         []string `json:"refs,omitempty"` // that a push moves, where pushes are limited
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

// AuditDecision is what was decided.
type AuditDecision string

// What was decided.
const (
	AuditForwarded AuditDecision = "forwarded" // it left, at least in part
	AuditRefused   AuditDecision = "refused"   // it is not allowed, or not understood
	AuditAnswered  AuditDecision = "answered"  // by the proxy itself
	AuditFailed    AuditDecision = "failed"    // there was no credential for it, or no host
)

// audit is the record of a request.
func (x *exchange) audit(r *http.Request, w *recorder, start time.Time, took time.Duration) *AuditRecord {
	record := &AuditRecord{
		Time: start.UTC(), Kind: AuditRequest, Client: x.session.clientName(), Address: r.RemoteAddr,
		Method: logged(r.Method), Host: logged(x.session.host.Name), Path: logged(x.path),
		Decision: AuditForwarded, DecidedBy: x.decidedBy(),
		Operation: x.route.Operation, OtherOwners: len(x.route.Others), Refs: x.refs,
		Installation: int64(x.credential.Installation), Credential: credentialName(x),
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
	switch refused := (*refusal)(nil); {
	case x.answer != nil:
		record.Decision = AuditAnswered
	case errors.As(x.err, &refused) && !x.left:
		record.Decision = refused.decision()
	case x.authorization != nil:
		record.Fingerprint = x.credential.Fingerprint()
	}
	if x.err != nil {
		record.Reason = x.err.Error()
	}
	return record
}

// refusedRecord is the record of what is refused before it is a gateway's.
func refusedRecord(r *http.Request, c caller, refused *refusal) *AuditRecord {
	record := &AuditRecord{
		Time: time.Now().UTC(), Kind: AuditConnect, Client: c.clientName(), Address: r.RemoteAddr,
		Method: logged(r.Method), Host: logged(r.URL.Host),
		Decision: refused.decision(), DecidedBy: refused.decidedBy, Reason: refused.Error(), Status: refused.status,
	}
	if r.Method != http.MethodConnect {
		path, _ := target(r)
		record.Kind, record.Path = AuditRequest, logged(path)
	}
	return record
}

// decision tells what is not allowed from what does not work: a server's fault
// by its status, save for what the proxy does not implement.
func (f *refusal) decision() AuditDecision {
	if f.status >= http.StatusInternalServerError && f.status != http.StatusNotImplemented {
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
