//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// loadRecords are how many records there are of the load's requests: of their
// beginning, and of their end.
func loadRecords(t *testing.T, pattern string) (began, ended int) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no audit log: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var record struct{ Path, Phase string }
			if err := json.Unmarshal(line, &record); err != nil {
				t.Errorf("%s: %q: %v", file, line, err)
			}
			switch {
			case record.Path != loadPath:
			case record.Phase == "begin":
				began++
			default:
				ended++
			}
		}
	}
	return began, ended
}

// startWith starts a proxy with further keys, and clients that ask it.
func (l *load) startWith(t *testing.T, keys string) *process {
	t.Helper()
	config := filepath.Join(l.dir, "loaded.toml")
	if err := os.WriteFile(config, append([]byte(keys+"\n"), l.config(t, nil)...), 0o600); err != nil {
		t.Fatal(err)
	}
	p := l.start(t, config)
	l.trust(t)
	l.run(50)
	l.waitForArrivals(t, 50)
	return p
}

// TestRecordsAreComplete: each request is in the log and in the audit log when the proxy
// has ended, the last ones, too. The audit log's file is moved away meanwhile.
func TestRecordsAreComplete(t *testing.T) {
	l := newLoad(t)
	audit := filepath.Join(l.dir, "audit.jsonl")
	p := l.startWith(t, fmt.Sprintf("audit_log = %q", audit))
	for i := range 5 {
		if err := os.Rename(audit, fmt.Sprintf("%s.%d", audit, i)); err != nil {
			t.Fatal(err)
		}
		if err := p.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		p.waitFor(t, "(read the configuration again)")
		time.Sleep(100 * time.Millisecond)
	}
	p.stop(t) // while they ask
	l.end()
	l.clients.Wait()
	_, records := loadRecords(t, audit+"*")
	log, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Count(string(log), "msg=request ")
	if answered := int(l.answered.Load()); records < answered || lines != records {
		t.Errorf("%d requests were answered; %d are in the audit log, %d in the log", answered, records, lines)
	}
}

// TestRequiredRecordsOutliveAKill: where records are required, there is one of each
// request that has arrived, even if the proxy is killed.
func TestRequiredRecordsOutliveAKill(t *testing.T) {
	l := newLoad(t)
	audit := filepath.Join(l.dir, "audit.jsonl")
	p := l.startWith(t, fmt.Sprintf("audit_log = %q\naudit_required = true", audit))
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	l.end()
	l.clients.Wait()
	began, ended := loadRecords(t, audit)
	if arrived := int(l.arrived.Load()); began < arrived || arrived == 0 {
		t.Errorf("%d requests arrived, of which %d are in the audit log", arrived, began)
	}
	t.Logf("%d began, %d ended, %d arrived", began, ended, l.arrived.Load())
}
