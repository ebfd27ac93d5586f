package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"ghapp-proxy/config"
)

// auditFile is the audit log, which can be opened anew after somebody has moved
// it away. It is safe for concurrent use.
type auditFile struct {
	path string

	mu   sync.Mutex
	file *os.File
}

// openAudit opens the configured audit log; nil if there is none.
func openAudit(cfg *config.Config) (io.WriteCloser, error) {
	switch cfg.AuditLog {
	case "":
		return nil, nil
	case "-":
		return stderrAudit{os.Stderr}, nil
	}
	a := &auditFile{path: cfg.AuditLog}
	if err := a.reopen(); err != nil {
		return nil, err
	}
	return a, nil
}

// stderrAudit does not close standard error.
type stderrAudit struct{ io.Writer }

// Close implements io.Closer.
func (stderrAudit) Close() error { return nil }

// reopen opens the file at the path, and keeps the one before if that fails.
func (a *auditFile) reopen() error {
	// Without O_NONBLOCK, open waits for somebody who reads a pipe.
	file, err := os.OpenFile(a.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return auditError(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file != nil {
		a.file.Close() // everything is written: there is no buffer
	}
	a.file = file
	return nil
}

// auditError says that the audit log cannot be opened, if err is not nil.
func auditError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("open the audit log: %w: make its directory, or change audit_log", err)
}

// Write implements io.Writer.
func (a *auditFile) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.file.Write(p)
}

// Close implements io.Closer.
func (a *auditFile) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.file.Close()
}
