package proxy

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestLongRequest: one that takes long has a record of its beginning.
func TestLongRequest(t *testing.T) {
	for took, want := range map[time.Duration][]AuditPhase{
		longRequest - time.Second: {""},
		longRequest + time.Second: {AuditBegin, AuditEnd},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			x := &exchange{id: newID(), start: time.Now(), records: newAuditLog(Options{Audit: &out, Log: slog.New(slog.DiscardHandler)}), path: "/x"}
			r, err := http.NewRequest("GET", "http://api.github.com/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			x.leave(r)
			x.leave(r) // another try
			time.Sleep(took)
			synctest.Wait()
			x.end(r, &recorder{status: 200, bytes: 7}, took)
			var phases []AuditPhase
			for decoder := json.NewDecoder(&out); decoder.More(); {
				var record AuditRecord
				if err := decoder.Decode(&record); err != nil {
					t.Fatal(err)
				}
				if record.ID != x.id || record.Decision != AuditForwarded || (record.Received == 7) != (record.Phase != AuditBegin) {
					t.Errorf("%+v of the request %s", record, x.id)
				}
				phases = append(phases, record.Phase)
			}
			if len(phases) != len(want) || phases[0] != want[0] || phases[len(phases)-1] != want[len(want)-1] {
				t.Errorf("after %v the phases are %q, want %q", took, phases, want)
			}
		})
	}
}
