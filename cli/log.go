package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"ghapp-proxy/spool"
)

// What decides where no flag does.
const (
	logFormatEnv = "GHAPP_PROXY_LOG_FORMAT"
	logLevelEnv  = "GHAPP_PROXY_LOG_LEVEL"
)

// logger returns the logger that the flags ask for, or the environment.
func (s *settings) logger(w io.Writer, byDefault slog.Level) (*slog.Logger, error) {
	env := lookupIn(s.inherited)
	level := byDefault
	if name, text := flagOr("--log-level", s.logLevel, env, logLevelEnv); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return nil, fmt.Errorf("%s %q: use debug, info, warn or error", name, text)
		}
	}
	out := spool.NewWriter(w) // nobody waits for who does not read it
	handler, err := s.logHandler(out, terminalOf(w, env), level, env)
	if err != nil {
		return nil, err
	}
	s.log = out
	return slog.New(newBounded(handler, out)), nil
}

func (s *settings) logHandler(out io.Writer, shown terminal, level slog.Level, env lookup) (slog.Handler, error) {
	name, format := flagOr("--log-format", s.logFormat, env, logFormatEnv)
	if format == "" || format == "auto" {
		format = "json"
		if shown.interactive {
			format = "console"
		}
	}
	switch format {
	case "console":
		return newConsole(out, shown, level), nil
	case "text":
		return slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}), nil
	case "json":
		return newJSON(out, level), nil
	}
	return nil, fmt.Errorf("%s %q: use auto, console, text or json", name, format)
}

// flagOr is a flag's value or, where that was not given, a variable's; name is where
// it is from.
func flagOr(flag, value string, env lookup, variable string) (name, text string) {
	if value != "" {
		return flag, value
	}
	text, _ = env(variable)
	return variable, text
}

// console writes lines for people: the time of day, the level in colour, the message in
// a column, and the attributes as slog.TextHandler has them, which quotes whatever
// could be taken for something else.
type console struct {
	to    io.Writer
	shown terminal
	attrs slog.Handler // writes to line

	mu   *sync.Mutex // guards line, and keeps lines apart
	line *bytes.Buffer
}

func newConsole(to io.Writer, shown terminal, level slog.Level) *console {
	c := &console{to: to, shown: shown, mu: new(sync.Mutex), line: new(bytes.Buffer)}
	c.attrs = slog.NewTextHandler(c.line, &slog.HandlerOptions{Level: level, ReplaceAttr: readable})
	return c
}

// readable leaves out what stands in front of the attributes, and rounds durations to
// what somebody reads of them.
func readable(groups []string, a slog.Attr) slog.Attr {
	switch {
	case len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey):
		return slog.Attr{}
	case a.Value.Kind() == slog.KindDuration:
		return slog.String(a.Key, round(a.Value.Duration()).String())
	}
	return a
}

// round leaves two digits after the point.
func round(d time.Duration) time.Duration {
	for unit := time.Second; unit > time.Microsecond; unit /= 1000 {
		if d.Abs() >= unit {
			return d.Round(unit / 100)
		}
	}
	return d
}

// levelNames have one width.
var levelNames = map[slog.Level]struct{ name, colour string }{
	slog.LevelDebug: {"debug", faint}, slog.LevelInfo: {"info ", green}, slog.LevelWarn: {"warn ", yellow}, slog.LevelError: {"ERROR", red},
}

// messageWidth is that of the messages there are many of.
const messageWidth = len("request")

// Enabled implements slog.Handler.
func (c *console) Enabled(ctx context.Context, level slog.Level) bool {
	return c.attrs.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (c *console) Handle(ctx context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line.Reset()
	if err := c.attrs.Handle(ctx, r); err != nil {
		return err
	}
	level, ok := levelNames[r.Level]
	if !ok {
		level.name = r.Level.String()
	}
	message := r.Message
	if strings.ContainsFunc(message, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(message) {
		message = strconv.Quote(message)
	}
	_, err := fmt.Fprintf(c.to, "%s %s %-*s  %s", c.shown.paint(faint, r.Time.Format(time.TimeOnly)), c.shown.paint(level.colour, level.name),
		messageWidth, message, c.line.Bytes())
	return err
}

// WithAttrs implements slog.Handler.
func (c *console) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *c
	with.attrs = c.attrs.WithAttrs(attrs)
	return &with
}

// WithGroup implements slog.Handler.
func (c *console) WithGroup(name string) slog.Handler {
	with := *c
	with.attrs = c.attrs.WithGroup(name)
	return &with
}
