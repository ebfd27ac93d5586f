package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"ghapp-proxy/event"
	"ghapp-proxy/spool"
)

// stuckWriter is a pipe that nobody reads.
type stuckWriter struct{ read chan struct{} }

func (w stuckWriter) Write(p []byte) (int, error) {
	<-w.read
	return len(p), nil
}

// What is logged waits for nobody to read it.
func TestLogNobodyReads(t *testing.T) {
	w := stuckWriter{make(chan struct{})}
	defer close(w.read)
	log, err := (&settings{logFormat: "text"}).logger(w, slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20000 { // more than may wait
			log.Info("a line", "with", "some text that is as long as the line of a request may well be, or about so")
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("the log waits for a reader")
	}
}

// loggerIn is the settings' logger in a format, which writes to the buffer.
func loggerIn(t *testing.T, format string, to io.Writer) *slog.Logger {
	t.Helper()
	log, err := (&settings{logFormat: format}).logger(to, slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// hostile is what clients choose: lines that look like the proxy's own, and what
// terminals obey, in one byte or more (ECMA-48 has C1, Unicode what turns text around).
const hostile = "x\n{\"level\":\"ERROR\"}\r\ntime=2026 level=ERROR msg=forged\x1b[2J\x1b]0;title\x07\u009b31m\u202e\u2028\x7f\x00\xff"

// TestLogAttack: what clients choose makes no line of its own, and steers no terminal,
// in any format, wherever it stands.
func TestLogAttack(t *testing.T) {
	for _, format := range []string{"console", "text", "json", ""} {
		var out lockedBuffer
		log := loggerIn(t, format, &out)
		log.Info(hostile, "path", hostile, "error", errors.New(hostile), "list", []string{hostile})
		text := out.String()
		if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") || !strings.Contains(text, "forged") {
			t.Errorf("%s: not one line: %q", format, text)
		}
		for _, r := range strings.TrimSuffix(text, "\n") {
			if !unicode.IsPrint(r) {
				t.Errorf("%s: %U in %q", format, r, text)
			}
		}
	}
}

// TestLogFormats: what each format makes of a line.
func TestLogFormats(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want string
	}{
		{nil, `^\{"time":"[^"]+","level":"WARN","msg":"request","path":"/a b","duration_ms":1234.567\}\n$`},
		{map[string]string{logFormatEnv: "auto"}, `^\{"time":`},
		{map[string]string{logFormatEnv: "text"}, `^time=\S+ level=WARN msg=request path="/a b" duration=1.234567s\n$`},
		{map[string]string{logFormatEnv: "console"}, `^\d\d:\d\d:\d\d warn  request  path="/a b" duration=1.23s\n$`},
		{map[string]string{logFormatEnv: "text", logLevelEnv: "error"}, `^$`},
	} {
		var inherited []string
		for name, value := range test.env {
			inherited = append(inherited, name+"="+value)
		}
		var out lockedBuffer
		log, err := (&settings{inherited: inherited}).logger(&out, slog.LevelInfo)
		if err != nil {
			t.Fatal(err)
		}
		log.Warn("request", "path", "/a b", "duration", 1234567*time.Microsecond)
		if !regexp.MustCompile(test.want).MatchString(out.String()) {
			t.Errorf("%v: %q does not match %s", test.env, out.String(), test.want)
		}
	}
	for _, test := range []struct {
		of   settings
		want string
	}{
		{settings{logFormat: "xml"}, `--log-format "xml": use auto, console, text or json`},
		{settings{inherited: []string{logFormatEnv + "=xml"}}, `GHAPP_PROXY_LOG_FORMAT "xml": use`},
		{settings{logLevel: "loud"}, `--log-level "loud": use debug`},
		{settings{inherited: []string{logLevelEnv + "=loud"}}, `GHAPP_PROXY_LOG_LEVEL "loud": use`},
	} {
		if _, err := test.of.logger(io.Discard, slog.LevelInfo); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %s", test.of, err, test.want)
		}
	}
}

// TestConsole: on a terminal that has colours the level has one, and nothing that is
// not the program's.
func TestConsole(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(newConsole(&out, terminal{interactive: true, colours: true}, slog.LevelInfo)).With("app", "a").WithGroup("g")
	log.Error("listening", "wait", 132499*time.Microsecond, "short", 2500*time.Nanosecond)
	log.Debug("nothing")
	if got, want := out.String()[len("\x1b[2m00:00:00"):], "\x1b[0m \x1b[31mERROR\x1b[0m listening  app=a g.wait=132.5ms g.short=2.5µs\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestLogBound: what one client provokes does not fill the log, and how much was left
// out is said. Others are heard meanwhile.
func TestLogBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		log := slog.New(newBounded(slog.NewTextHandler(&out, nil), spool.NewWriter(io.Discard)))
		count := func(what string) int { return strings.Count(out.String(), what) }
		for i := range 1000 {
			log.Warn("request", "client", "agent", "path", fmt.Sprint("/", i), "status", 400+i%100, "decided_by", "client.agent.deny[1]")
			log.Info("refused", "client", fmt.Sprintf("10.0.0.1:%d", i))
			log.Info("request", "client", "agent", "status", 200)
		}
		log.Warn("request", "client", "ci")
		log.Warn("request", "client", "agent", "decided_by", "client.agent.repositories")
		for what, want := range map[string]int{"level=WARN msg=request client=agent path": maxAlike, "msg=refused": maxAlike, "level=INFO msg=request": 1000, "client=ci": 1, "repositories": 1} {
			if got := count(what); got != want {
				t.Errorf("%d lines with %q, want %d", got, what, want)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, want := range []string{
			`level=WARN msg="lines of the log were left out: there were too many alike" count=940 what=request client=agent decided_by=client.agent.deny[1]`,
			`count=940 what=refused client=10.0.0.1`,
		} {
			if count(want) != 1 {
				t.Errorf("no %s in the log", want)
			}
		}
		log.Warn("request", "client", "agent", "path", "/again", "decided_by", "client.agent.deny[1]")
		if count("/again") != 1 {
			t.Error("nothing is written in the next minute")
		}
		for i := range 100000 {
			log.Warn("request", "client", fmt.Sprintf("[2001:db8:%x:%x::1]:1", i>>16, i&0xffff))
		}
		if got := count("client=\"[2001:db8:") + count("client=[2001:db8:"); got > maxKinds+maxAlike {
			t.Errorf("%d lines of who has many addresses, want %d at most", got, maxKinds+maxAlike)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if count(`what="of other clients"`) != 1 {
			t.Error("it is not said how many lines of others were left out")
		}
	})
}

// slowBuffer takes its time for each write.
type slowBuffer struct{ lockedBuffer }

func (b *slowBuffer) Write(p []byte) (int, error) {
	time.Sleep(20 * time.Millisecond)
	return b.lockedBuffer.Write(p)
}

// TestLogIsWritten: a line that is not one of many is there when it was logged, with all
// before it; and all are at the end.
func TestLogIsWritten(t *testing.T) {
	var out slowBuffer
	s := &settings{logFormat: "text"}
	log, err := s.logger(&out, slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		log  func()
		want int
	}{
		{func() { log.Info("listening") }, 1},
		{func() { log.Info("request"); log.Info("tunnel"); log.Info("refused"); log.Error("request") }, 5},
		{func() { log.Info("request"); log.Info("request"); s.flush() }, 7},
	} {
		if test.log(); strings.Count(out.String(), "\n") != test.want {
			t.Errorf("%d lines are written, want %d:\n%s", strings.Count(out.String(), "\n"), test.want, out.String())
		}
	}
}

// BenchmarkLogLine is the line of a request as `serve` writes it to a file.
func BenchmarkLogLine(b *testing.B) {
	log, err := (&settings{logFormat: "json"}).logger(io.Discard, slog.LevelInfo)
	if err != nil {
		b.Fatal(err)
	}
	sink := event.Sink{Log: log}
	e := &event.Event{
		ID: "QMI7S36KYZSFSNEFUW4JUMEOVB", Kind: event.Request, Client: "agent", Address: "127.0.0.1:48138", Method: "GET", Host: "api.github.com",
		Path: "/repos/acme/widgets/issues", Operation: "issues/list-for-repo", Subject: "acme/widgets", App: "ci-bot", Installation: 1, Credential: "installation",
		Replaced: "bearer", Status: 200, Duration: 1234567, Received: 5851,
	}
	b.ReportAllocs()
	for b.Loop() {
		sink.End(e)
	}
}
