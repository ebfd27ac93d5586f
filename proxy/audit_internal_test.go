package proxy

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/event"
)

// TestLongRequest: one that takes long has a record of its beginning.
func TestLongRequest(t *testing.T) {
	for took, want := range map[time.Duration][]event.Phase{
		longRequest - time.Second: {""},
		longRequest + time.Second: {event.Begin, event.End},
	} {
		synctest.Test(t, func(t *testing.T) {
			phases := phasesOf(t, func(x *exchange, r *http.Request) {
				x.noteSent(r)
				x.noteSent(r) // another try
				time.Sleep(took)
				synctest.Wait()
			})
			if !slices.Equal(phases, want) {
				t.Errorf("after %v the phases are %q, want %q", took, phases, want)
			}
		})
	}
}

// TestBeginningAtTheEnd: a request that ends in the moment from which on it is long
// has a record of its beginning before that of its end, or none.
func TestBeginningAtTheEnd(t *testing.T) {
	for range 500 {
		synctest.Test(t, func(t *testing.T) {
			phases := phasesOf(t, func(x *exchange, r *http.Request) {
				x.noteSent(r)
				time.Sleep(longRequest)
			})
			if !slices.Equal(phases, []event.Phase{""}) && !slices.Equal(phases, []event.Phase{event.Begin, event.End}) {
				t.Fatalf("the phases are %q", phases)
			}
		})
	}
}

// phasesOf are those of the records of a request that is under way and then ends.
func phasesOf(t *testing.T, underWay func(*exchange, *http.Request)) (phases []event.Phase) {
	t.Helper()
	var out bytes.Buffer
	log := slog.New(slog.DiscardHandler)
	x := &exchange{id: event.NewID(), start: time.Now(), events: &event.Sink{Log: log}, path: "/x"}
	x.events.SetAudit(event.NewAudit(&out, false, log))
	r, err := http.NewRequest("GET", "http://api.github.com/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	underWay(x, r)
	x.end(r, &recorder{status: 200, bytes: 7})
	x.events.Flush()
	synctest.Wait()
	for decoder := json.NewDecoder(&out); decoder.More(); {
		var record event.Record
		if err := decoder.Decode(&record); err != nil {
			t.Fatal(err)
		}
		if record.ID != x.id || record.Decision != event.Forwarded || (record.Received == 7) != (record.Phase != event.Begin) {
			t.Errorf("%+v of the request %s", record, x.id)
		}
		phases = append(phases, record.Phase)
	}
	return phases
}
