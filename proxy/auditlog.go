package proxy

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// auditLog writes AuditRecords. What cannot be written is lost: a full disk does
// not stop the proxy, but is logged as an error, once in lostEvery. A nil
// *auditLog writes nothing. It is safe for concurrent use.
type auditLog struct {
	to  io.Writer
	log *slog.Logger

	lost atomic.Int64 // records since one was written
	mu   sync.Mutex
	next time.Time // of an error in the log
}

// lostEvery is how often the log says that records are lost.
const lostEvery = time.Minute

func newAuditLog(to io.Writer, log *slog.Logger) *auditLog {
	if to == nil {
		return nil
	}
	return &auditLog{to: to, log: log}
}

// newID names a request or a tunnel, in the audit log, the log and what its
// client is told.
func newID() string { return rand.Text() }

// write writes the record that describe makes, as one line in one Write.
func (a *auditLog) write(describe func() *AuditRecord) {
	if a == nil {
		return
	}
	record := describe()
	record.Reason = logged(record.Reason)
	line, err := json.Marshal(record)
	if err == nil {
		_, err = a.to.Write(append(line, '\n'))
	}
	switch {
	case err != nil:
		a.lose(err)
	case a.lost.Load() > 0:
		if n := a.lost.Swap(0); n > 0 {
			a.log.Warn("the audit log is written again", "lost", n)
		}
	}
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
