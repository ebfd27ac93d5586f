package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"testing"
	"time"

	"ghapp-proxy/event"
	"ghapp-proxy/internal/racetest"
)

// bySlog is a line as slog's handler writes it.
func bySlog(r slog.Record) string {
	var out bytes.Buffer
	h := slog.NewJSONHandler(plainJSON{&out}, &slog.HandlerOptions{ReplaceAttr: millisecondsInJSON})
	_ = h.Handle(context.Background(), r)
	return out.String()
}

// byUs is the same line as it is written here.
func byUs(r slog.Record) string {
	var out bytes.Buffer
	_ = newJSON(&out, slog.LevelDebug).Handle(context.Background(), r)
	return out.String()
}

// TestJSONLines: lines are slog's to the octet, whoever writes them.
func TestJSONLines(t *testing.T) {
	zone := time.FixedZone("x", -3*3600-1800)
	times := []time.Time{
		time.Now(), time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC), time.Date(2026, 11, 29, 9, 0, 0, 120_000, zone), {}, time.Unix(0, 0), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	values := []slog.Value{
		slog.StringValue(""), slog.StringValue("/repos/acme/widgets <&>'"), slog.StringValue(hostile), slog.StringValue(`a"b\c`), slog.StringValue("é\u2028"), slog.StringValue("\x7f"),
		slog.Int64Value(0), slog.Int64Value(math.MinInt64), slog.Uint64Value(math.MaxUint64), slog.BoolValue(true), slog.BoolValue(false), slog.Float64Value(0.1), slog.Float64Value(1e30),
		slog.DurationValue(0), slog.DurationValue(1), slog.DurationValue(1234567 * time.Nanosecond), slog.DurationValue(-time.Second), slog.DurationValue(math.MaxInt64), slog.DurationValue(time.Microsecond),
		slog.TimeValue(times[1]), slog.AnyValue(errors.New("x")), slog.AnyValue([]string{"a"}), slog.AnyValue(nil), slog.GroupValue(slog.Int("a", 1)), slog.GroupValue(), slog.AnyValue(levelled{}),
	}
	for _, at := range times {
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn + 1, slog.LevelError} {
			for _, message := range []string{"request", "", hostile, "a \"b\""} {
				for _, key := range []string{"path", "", "a b", `a"b`} {
					for _, value := range values {
						r := slog.NewRecord(at, level, message, 0)
						r.AddAttrs(slog.Int("first", 1), slog.Attr{Key: key, Value: value}, slog.Bool("last", true))
						if got, want := byUs(r), bySlog(r); got != want {
							t.Fatalf("%q, want %q", got, want)
						}
					}
				}
			}
		}
	}
}

// levelled is a value that says itself what is logged of it.
type levelled struct{}

func (levelled) LogValue() slog.Value { return slog.StringValue("resolved") }

// What is added to a logger is slog's, too.
func TestJSONLoggersWith(t *testing.T) {
	var out, want bytes.Buffer
	for to, h := range map[*bytes.Buffer]slog.Handler{&out: newJSON(&out, slog.LevelInfo), &want: slog.NewJSONHandler(&want, nil)} {
		log := slog.New(h).With("app", "a").WithGroup("g").With("b", 1)
		log.Info("x", "c", 2)
		log.Debug("nothing")
		_ = to
	}
	_, got, _ := bytes.Cut(out.Bytes(), []byte(`"level"`))
	if _, want, _ := bytes.Cut(want.Bytes(), []byte(`"level"`)); !bytes.Equal(got, want) || len(want) == 0 {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestLineAllocations: of the line of a request only its attributes are made anew.
func TestLineAllocations(t *testing.T) {
	if racetest.Enabled {
		t.Skip("it allocates more")
	}
	sink := event.Sink{Log: slog.New(newJSON(io.Discard, slog.LevelInfo))}
	e := &event.Event{Kind: event.Request, Client: "agent", Method: "GET", Host: "api.github.com", Path: "/", Status: 200, Duration: time.Millisecond}
	if n := testing.AllocsPerRun(200, func() { sink.End(e) }); n > 3 {
		t.Errorf("%v allocations for a line", n)
	}
}

func FuzzJSONLine(f *testing.F) {
	f.Add("request", "path", hostile, int64(1))
	f.Add("a", "", "\xff", int64(-1))
	f.Fuzz(func(t *testing.T, message, key, text string, n int64) {
		r := slog.NewRecord(time.Unix(n%1e9, n%1e9), slog.Level(n%9), message, 0)
		r.AddAttrs(slog.String(key, text), slog.Duration("duration", time.Duration(n)), slog.Int64(key, n))
		if got, want := byUs(r), bySlog(r); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}
