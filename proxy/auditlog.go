package proxy

import (
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/spool"
)

// auditLog writes AuditRecords. What cannot be written is lost: a full disk, or a
// pipe that nobody reads, does not stop the proxy, but is logged as an error, once
// in lostEvery. A nil *auditLog writes nothing. It is safe for concurrent use.
type auditLog struct {
	to       *spool.Writer
	log      *slog.Logger
	required bool // nothing may leave of which there is no record

	lost atomic.Int64 // records since one was written
	mu   sync.Mutex
	next time.Time // of an error in the log
}

// lostEvery is how often the log says that records are lost.
const lostEvery = time.Minute

func newAuditLog(opts Options) *auditLog {
	if opts.Audit == nil {
		return nil
	}
	a := &auditLog{to: spool.NewWriter(opts.Audit), log: opts.Log, required: opts.AuditRequired}
	a.to.Lost = a.lose
	return a
}

// newID names a request or a tunnel, in the audit log, the log and what its
// client is told.
func newID() string { return rand.Text() }

var noRecord = answer.Define(answer.Kind{
	Status: http.StatusServiceUnavailable, Code: answer.InternalError,
	Title:     "the audit log cannot be written",
	Remedy:    "tell those who run the proxy",
	DecidedBy: "audit_required",
})

// begin writes the record of something that is about to leave. Where records
// are required, it is refused if that cannot be written now.
func (a *auditLog) begin(record *AuditRecord) *answer.Refusal {
	if a == nil {
		return nil
	}
	err := a.put(record)
	if err == nil && a.to.IsStuck() {
		err = spool.ErrFull
	}
	if err == nil || !a.required {
		return nil
	}
	refused := noRecord.Refuse()
	refused.Inside = refused.Title + ": " + err.Error()
	return refused
}

// write writes the record that describe makes.
func (a *auditLog) write(describe func() *AuditRecord) {
	if a != nil {
		_ = a.put(describe()) // it is counted and logged
	}
}

// put writes a record as one line in one Write.
func (a *auditLog) put(record *AuditRecord) error {
	record.Reason = logged(record.Reason)
	line, err := json.Marshal(record)
	if err == nil {
		_, err = a.to.Write(append(line, '\n'))
	}
	switch {
	case err != nil:
		a.lose(err)
	case a.lost.Load() > 0 && !a.to.IsStuck():
		if n := a.lost.Swap(0); n > 0 {
			a.log.Warn("the audit log is written again", "lost", n)
		}
	}
	return err
}

// lose counts a record that could not be written.
func (a *auditLog) lose(err error) {
	lost := a.lost.Add(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := time.Now(); !now.Before(a.next) {
		a.next = now.Add(lostEvery)
		a.log.Error("the audit log cannot be written", "error", err, "lost", lost)
	}
}
