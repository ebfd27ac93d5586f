package event

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/internal/racetest"
	"ghapp-proxy/panics"
	"ghapp-proxy/spool"
)

func TestRecordOf(t *testing.T) {
	long := strings.Repeat("x", 2*maxText)
	for _, test := range []struct {
		event Event
		want  Record
	}{
		{Event{Decision: Forwarded, Credential: "installation", Rule: 2}, Record{Decision: Forwarded, Credential: "installation", DecidedBy: "rule[2]"}},
		{Event{Decision: Refused, Credential: "jwt", Rule: 2, DecidedBy: "client.a.jwt", Err: errors.New("no")},
			Record{Decision: Refused, Credential: "none", DecidedBy: "client.a.jwt", Reason: "no"}},
		{Event{Decision: Failed, Credential: "installation"}, Record{Decision: Failed, Credential: "none"}},
		{Event{Kind: Connect, Decision: Refused, Transparent: true}, Record{Kind: Connect, Decision: Refused, Transparent: true}},
		{Event{Decision: Answered, Credential: "none", Duration: 1500 * time.Microsecond}, Record{Decision: Answered, Credential: "none", Milliseconds: 1.5}},
		{Event{Method: long, Host: long, Path: long, Subject: long, Err: errors.New(long), Refs: []string{long}, Fields: []string{long}},
			Record{Method: Clip(long), Host: Clip(long), Path: Clip(long), Subject: Clip(long), Reason: Clip(long), Refs: []string{Clip(long)}, Fields: []string{Clip(long)}}},
	} {
		if got := recordOf(&test.event); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%+v\nwant %+v", got, test.want)
		}
	}
	many := &Event{Fields: make([]string, maxFields+1)}
	if n := len(recordOf(many).Fields); n != maxFields {
		t.Errorf("%d fields, want the first %d", n, maxFields)
	}
	if n := len(Clip(long)); n > maxText+len("…") {
		t.Errorf("%d bytes of a long text", n)
	}
}

// TestRecordIsPlain: a record steers no terminal on which somebody looks at it.
func TestRecordIsPlain(t *testing.T) {
	var out bytes.Buffer
	sink := &Sink{Log: slog.New(slog.DiscardHandler)}
	sink.SetAudit(NewAudit(&out, false, slog.New(slog.DiscardHandler)))
	sink.End(&Event{Path: "/x\x1b[2J\u009b31m\u202e\x7f\n"})
	sink.Flush()
	if want := `"path":"/x\u001b[2J\u009b31m\u202e\u007f\n"`; !strings.Contains(out.String(), want) {
		t.Errorf("no %s in %s", want, out.String())
	}
}

func TestLine(t *testing.T) {
	no := errors.New("no")
	for _, test := range []struct {
		event Event
		want  string
	}{
		{Event{Kind: Request, Client: "c", Address: "a", Method: "GET", Host: "h", Path: "/p", Operation: "o", Credential: "jwt", Status: 200, Received: 3},
			`level=INFO msg=request id="" client=c method=GET host=h path=/p route=o credential=jwt status=200 duration=0s bytes=3`},
		{Event{Kind: Request, Address: "a", Credential: "none", Replaced: "bearer", Subject: "s", OtherOwners: 1, Rule: 2, Placeholder: true, OtherSite: true,
			Fallback: true, Uncovered: no, App: "x", Installation: 1, Tries: 2, DecidedBy: "k", Err: no, Level: slog.LevelWarn, Fault: &panics.Fault{Stack: []byte("at")}},
			`level=WARN msg=request id="" client=a method="" host="" path="" route="" credential=none replaced=bearer owner=s other_owners=1 rule=2 ` +
				`placeholder=true other_site=true fallback=true uncovered=no app=x installation=1 tries=2 status=0 duration=0s bytes=0 decided_by=k error=no stack=at`},
		{Event{Kind: Request, Early: true, Address: "a", Status: 407, Err: no}, `level=INFO msg=refused id="" client=a method="" host="" status=407 error=no`},
		{Event{Kind: Connect, Host: "h", Destination: "10.0.0.1", Status: 403, DecidedBy: "egress.deny[1]"},
			`level=INFO msg=refused id="" client="" method="" host=h address=10.0.0.1 status=403 decided_by=egress.deny[1]`},
		{Event{Kind: Tunnel, Decision: Forwarded, Transparent: true, Host: "h", Status: 200, Sent: 1, Received: 2, Duration: 1499 * time.Nanosecond},
			`level=INFO msg=tunnel id="" client="" transparent=true method="" host=h bytes_in=1 bytes_out=2 duration=1µs`},
		{Event{Kind: Tunnel, Decision: Refused, Host: "h", Status: 200, Err: no}, `level=INFO msg=refused id="" client="" method="" host=h error=no`},
		{Event{Kind: Connect, Level: slog.LevelDebug}, ""},
	} {
		log, out := plainLog()
		writeLine(log, &test.event)
		if got := strings.TrimSuffix(out.String(), "\n"); got != test.want {
			t.Errorf("%s\nwant %s", got, test.want)
		}
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestSink(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, test := range []struct {
		to       io.Writer
		required bool
		fails    bool
	}{{full{}, true, true}, {full{}, false, false}, {new(bytes.Buffer), true, false}, {nil, true, false}} {
		sink := &Sink{Log: log}
		sink.SetAudit(NewAudit(test.to, test.required, log))
		if err := sink.Begin(&Event{}); (err != nil) != test.fails {
			t.Errorf("%T, required %v: %v", test.to, test.required, err)
		}
		if got := sink.Audit().Required(); got != (test.required && test.to != nil) {
			t.Errorf("%T: required %v", test.to, got)
		}
	}
	var out bytes.Buffer
	var told []string
	sink := &Sink{Log: log, Also: []func(*Event){func(e *Event) { told = append(told, e.ID) }}}
	sink.SetAudit(NewAudit(&out, false, log))
	sink.End(&Event{ID: "many", Unrecorded: true})
	sink.End(&Event{ID: "one"})
	sink.Flush()
	if fmt.Sprint(told) != "[many one]" || strings.Contains(out.String(), "many") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("told %v, recorded %s", told, out.String())
	}
}

// one is an Event as most are.
var one = Event{
	Time: time.Now(), ID: "QMI7S36KYZSFSNEFUW4JUMEOVB", Kind: Request, Decision: Forwarded, Client: "agent", Address: "127.0.0.1:48138", Method: "GET", Host: "api.github.com",
	Path: "/repos/acme/widgets/issues", Operation: "issues/list-for-repo", Subject: "acme/widgets", App: "ci-bot", Installation: 1, Credential: "installation",
	Replaced: "bearer", Fingerprint: "uzdYhJ5QAv3bJGnXzvUYwQBHqkKrzJXQ0mgDWpXPdZw=", Status: 200, GitHubRequestID: "ABCD:12345:678", Duration: 1234567, Received: 5851,
}

// BenchmarkSink writes a line of the log and a record for each Event.
func BenchmarkSink(b *testing.B) {
	nowhere := writerFunc(func(p []byte) (int, error) { return len(p), nil })
	json := slog.New(slog.NewJSONHandler(spool.NewWriter(nowhere), nil))
	for name, sink := range map[string]*Sink{"line": {Log: json}, "silent": {Log: slog.New(slog.DiscardHandler)}, "audit": {Log: slog.New(slog.DiscardHandler)}} {
		if name == "audit" {
			sink.SetAudit(NewAudit(nowhere, false, sink.Log))
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink.End(&one)
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestNewID: no ID comes twice, and each is as rand.Text makes them.
func TestNewID(t *testing.T) {
	const each, at = 5000, 4
	made := make(chan string, each*at)
	for range at {
		go func() {
			for range each {
				made <- NewID()
			}
		}()
	}
	seen, letters := make(map[string]bool), make(map[rune]int)
	for range each * at {
		id := <-made
		if len(id) != len(rand.Text()) || strings.Trim(id, base32) != "" || seen[id] {
			t.Fatalf("%q, seen before: %v", id, seen[id])
		}
		seen[id] = true
		for _, c := range id {
			letters[c]++
		}
	}
	for c, n := range letters {
		if want := each * at * idLength / len(base32); n < want*9/10 || n > want*11/10 {
			t.Errorf("%c comes %d times, want about %d", c, n, want)
		}
	}
	if n := testing.AllocsPerRun(1000, func() { NewID() }); n > 0.5 && !racetest.Enabled {
		t.Errorf("%v allocations", n)
	}
}
