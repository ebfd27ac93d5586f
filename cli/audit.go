package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"ghapp-proxy/config"
)

// auditLog is the audit log. It can be opened anew after somebody has moved the file
// away, and elsewhere, while it is written. It is safe for concurrent use.
type auditLog struct {
	mu   sync.Mutex
	path string         // "" for none, "-" for standard error
	to   io.WriteCloser // nil for none
}

// openAudit opens the configured audit log, which may be none.
func openAudit(cfg *config.Config) (*auditLog, error) {
	a := new(auditLog)
	return a, a.open(cfg.AuditLog)
}

// open opens the file at a path, also where that is the one of before, and keeps that
// one if it fails.
func (a *auditLog) open(path string) error {
	var to io.WriteCloser
	switch path {
	case "":
	case "-":
		to = stderrAudit{os.Stderr}
	default:
		// Without O_NONBLOCK, open waits for somebody who reads a pipe.
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o600)
		if err != nil {
			return auditError(err)
		}
		to = file
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.to != nil {
		a.to.Close() // everything is written: there is no buffer
	}
	a.path, a.to = path, to
	return nil
}

// at is the path that is written to.
func (a *auditLog) at() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.path
}

// stderrAudit does not close standard error.
type stderrAudit struct{ io.Writer }

// Close implements io.Closer.
func (stderrAudit) Close() error { return nil }

// auditError says that the audit log cannot be opened, if err is not nil.
func auditError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("open the audit log: %w: make its directory, or change audit_log", err)
}

// Write implements io.Writer. Where there is no audit log any more, what was on its
// way to it is not written.
func (a *auditLog) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.to == nil {
		return len(p), nil
	}
	return a.to.Write(p)
}

// Close implements io.Closer.
func (a *auditLog) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.to == nil {
		return nil
	}
	err := a.to.Close()
	a.to = nil
	return err
}
