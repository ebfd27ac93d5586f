package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"ghapp-proxy/config"
	"ghapp-proxy/panics"
)

const (
	// controlTime is how long somebody at the control socket may take to say what for.
	controlTime = 10 * time.Second
	// maxOutcome is how long what became of it may be, in bytes.
	maxOutcome = 1 << 20
	// maxSocketPath is about how long the path of a socket may be: unix(7) has 108.
	maxSocketPath = 100
)

// outcome is what `serve` tells `reload`.
type outcome struct {
	Status  int      `json:"status"` // to exit with
	Problem string   `json:"problem,omitempty"`
	Restart []string `json:"restart,omitempty"` // keys that need one
}

// outcomeOf is that of a reload.
func outcomeOf(err error, state ReloadState) outcome {
	var invalid *config.Error
	switch {
	case err == nil:
		return outcome{Restart: state.Restart}
	case errors.As(err, &invalid):
		return outcome{Status: exitConfig, Problem: err.Error()}
	}
	return outcome{Status: exitFailure, Problem: "ghapp-proxy: " + err.Error()}
}

// controlPath is the control socket of the `serve` that has a configuration.
func controlPath(cfg *config.Config) string {
	of := sha256.Sum256([]byte(cfg.File)) // several may share a state directory
	return filepath.Join(cfg.StateDir, "control-"+hex.EncodeToString(of[:4])+".sock")
}

// shortPath returns another path for a socket whose own is too long, and the directory
// that has to stay open for it.
func shortPath(path string) (short string, dir *os.File, err error) {
	if len(path) <= maxSocketPath || runtime.GOOS != "linux" {
		return path, nil, nil
	}
	if dir, err = os.Open(filepath.Dir(path)); err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), dir, nil
}

// control is where `serve` is asked to reload, by nobody but its own user.
type control struct {
	asked chan chan<- error
	state *reloadState
	log   *slog.Logger

	path string
	ln   net.Listener // nil if there is none
	dir  *os.File     // that is open for its path, nil for none
}

// move listens at a path from now on. Without it only signals reload.
func (c *control) move(ctx context.Context, path string) {
	if path == c.path {
		return
	}
	ln, dir, err := listenControl(ctx, path)
	if err != nil {
		c.log.Warn("`ghapp-proxy reload` has no effect: its socket cannot be opened", "path", path, "error", err)
		return
	}
	c.close()
	c.path, c.ln, c.dir = path, ln, dir
	go c.accept(ctx, ln)
}

func listenControl(ctx context.Context, path string) (ln net.Listener, dir *os.File, err error) {
	if !hasControl {
		return nil, nil, errors.New("it is not there on this system")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, err
	}
	short, dir, err := shortPath(path)
	if err == nil {
		err = removeSocket(short)
	}
	if err == nil {
		ln, err = listenPrivate(ctx, short)
	}
	if err != nil && dir != nil {
		dir.Close()
	}
	return ln, dir, err
}

func (c *control) close() {
	if c.ln != nil {
		c.ln.Close() // and its file is removed
	}
	if c.dir != nil {
		c.dir.Close()
	}
	c.ln, c.dir = nil, nil
}

// accept takes those who ask, until the listener is closed.
func (c *control) accept(ctx context.Context, ln net.Listener) {
	defer panics.Log(c.log, "`ghapp-proxy reload` has no effect any more")
	for {
		conn, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(time.Second) // too many open files
			continue
		}
		go c.answer(ctx, conn)
	}
}

// answer reloads, and says what became of it.
func (c *control) answer(ctx context.Context, conn net.Conn) {
	defer panics.Log(c.log, "a request to reload came to nothing")
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(controlTime))
	word := make([]byte, len(reloadWord))
	if _, err := conn.Read(word); err != nil || string(word) != reloadWord {
		return
	}
	conn.SetDeadline(time.Time{})
	answer := make(chan error, 1)
	err := errSuperseded
	select {
	case c.asked <- answer:
		select {
		case err = <-answer:
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	conn.SetDeadline(time.Now().Add(controlTime))
	_ = json.NewEncoder(conn).Encode(outcomeOf(err, c.state.get())) // who has left does not want to know
}

// reloadWord is what is asked.
const reloadWord = "reload\n"
