package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"time"
	"unicode"

	"ghapp-proxy/safepath"
)

// commandTimeout is how long a command may take to print a secret or to sign:
// long enough for a person to confirm it on another device.
var commandTimeout = 30 * time.Second

// runCommand runs a command without a shell in dir, and returns what it prints.
// It has nothing to read unless prepare, which sees it before it starts, gives it
// something. The error has the last line of its standard error, and never
// anything of its output.
func runCommand(ctx context.Context, argv []string, dir string, prepare ...func(*exec.Cmd)) ([]byte, error) {
	slow := fmt.Errorf("the command did not end within %v", commandTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, commandTimeout, slow)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	out := &capped{full: cancel}
	errOut := &tail{}
	cmd.Stdout, cmd.Stderr = out, errOut
	// Children of the command may outlive it with its pipes open.
	cmd.WaitDelay = time.Second
	for _, p := range prepare {
		p(cmd)
	}
	err := cmd.Run()
	switch {
	case out.over:
		return nil, errTooLong
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w%s", context.Cause(ctx), errOut.lastLine())
	case errors.Is(err, exec.ErrWaitDelay):
		_ = cmd.Cancel() // of the child, if it is in a group of its own
		return nil, errors.New("the command ended, but a child of it keeps its output open")
	case err != nil:
		return nil, fmt.Errorf("%w%s", commandError(err), errOut.lastLine())
	case len(bytes.TrimSpace(out.text)) == 0:
		return nil, fmt.Errorf("the command printed nothing%s", errOut.lastLine())
	}
	return out.text, nil
}

// mayRun reports whether the command of a key may be run: not if somebody else
// than the user and root could have written it there, which is a fault of the key.
// Where somebody else could change what it runs, that is a warning: some systems
// let a group put programs where all find them.
func (l *loader) mayRun(t *table, key string, argv []string) bool {
	if path, err := executable(argv, t.doc.dir); err == nil {
		if fault, ok := errors.AsType[*safepath.Error](safepath.Check(path)); ok {
			t.warn(key, withHint(fault.Remedy, "others could change what is run: %s: %s", fault.Path, fault.Reason))
		}
	}
	fault, ok := errors.AsType[*safepath.Error](safepath.Check(t.doc.path))
	if ok {
		t.fault(key, withHint(fault.Remedy, "others could choose the command, since they can change the configuration: %s: %s", fault.Path, fault.Reason))
	}
	return !ok
}

// commandName names a command in errors: its arguments may be confidential.
func commandName(argv []string) string {
	if holdsSecret(argv[0]) {
		return "the command"
	}
	return argv[0]
}

// commandError explains why a command failed, without its name.
func commandError(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
		return withHint("relative commands with a slash start at the directory of the configuration file, others are looked for in $PATH",
			"no such command")
	}
	if execErr := (*exec.Error)(nil); errors.As(err, &execErr) {
		return execErr.Err
	}
	return bare(err)
}

// capped keeps up to maxFile bytes; when there are more, it calls full.
type capped struct {
	text []byte
	over bool
	full func()
}

func (c *capped) Write(p []byte) (int, error) {
	if len(c.text)+len(p) > maxFile {
		c.over = true
		c.full()
		return 0, errTooLong
	}
	c.text = append(c.text, p...)
	return len(p), nil
}

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-4096):]
	return len(p), nil
}

// lastLine returns `: "the last line"`, "" if there is none, cut to a length
// that fits an error and without what could steer a terminal.
func (t *tail) lastLine() string {
	const limit = 200
	text := strings.TrimSpace(string(t.text))
	line := strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
	if line == "" || holdsSecret(line) {
		return ""
	}
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, line))
	if len(runes) > limit {
		runes = append(runes[:limit], '…')
	}
	return fmt.Sprintf(": %q", string(runes))
}
