package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// proxyLog reads the proxy's log: it is an io.Writer of JSON lines.
type proxyLog struct {
	*io.PipeWriter
	listening chan string
	lines     chan string // of requests; what nobody waits for is dropped
}

func newProxyLog() *proxyLog {
	r, w := io.Pipe()
	log := &proxyLog{PipeWriter: w, listening: make(chan string, 1), lines: make(chan string, 100)}
	go log.read(r)
	return log
}

func (l *proxyLog) read(r io.Reader) {
	defer close(l.listening)
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var line struct {
			Msg, Address, Method, Host, Path, Replaced string
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			fmt.Fprintln(os.Stderr, lines.Text()) // not the log: an error
			continue
		}
		switch line.Msg {
		case "listening":
			l.listening <- line.Address
		case "request":
			own := "no credential"
			if line.Replaced != "" {
				own = `"Authorization: ` + line.Replaced + ` …"`
			}
			select {
			case l.lines <- fmt.Sprintf("%-4s https://%s%s with %s", line.Method, line.Host, line.Path, own):
			default:
			}
		}
	}
}

// address waits until the proxy listens.
func (l *proxyLog) address(ctx context.Context) (string, error) {
	select {
	case address, ok := <-l.listening:
		if !ok {
			return "", errors.New("the proxy did not start")
		}
		return address, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// requests returns the requests since it was last called. The proxy logs a
// request when it has ended, which the tool that sent it may see before.
func (l *proxyLog) requests() []string {
	var lines []string
	for wait := 2 * time.Second; ; {
		select {
		case line := <-l.lines:
			lines = append(lines, line)
			wait = 50 * time.Millisecond
		case <-time.After(wait):
			return lines
		}
	}
}
