//go:build unix

// Package redistest starts a Valkey or Redis for a test, on a socket or a port of the
// loopback interface.
package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ghapp-proxy/internal/freeport"

	"github.com/redis/go-redis/v9"
)

// requireEnv makes a test fail, rather than be skipped, where there is no server.
const requireEnv = "GHAPP_PROXY_REQUIRE_REDIS"

// Server is a server. It ends with the test.
type Server struct {
	Addr string // host:port
	Dir  string // where its dump and its AOF are

	t    testing.TB
	path string
	args []string
	cmd  *exec.Cmd
}

// programs are what may be there, in order.
var programs = []string{"valkey-server", "redis-server"}

// Start starts a server with further arguments, or skips the test.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := New(t, args...)
	s.Run()
	return s
}

// StartWith is Start with arguments that come before all others: a configuration file, say.
func StartWith(t testing.TB, first []string, args ...string) *Server {
	t.Helper()
	s := New(t, args...)
	s.args = append(first, s.args...)
	s.Run()
	return s
}

// New is Start for a server that does not run yet.
func New(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, path: Find(t, programs...), Dir: t.TempDir(), Addr: freeport.Address(t)}
	_, port, _ := net.SplitHostPort(s.Addr)
	s.args = append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", s.Dir, "--save", "", "--daemonize", "no", "--loglevel", "warning"}, args...)
	t.Cleanup(s.Kill)
	return s
}

// Find returns the first of some programs that is installed, or skips the test.
func Find(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		for _, path := range []string{name, "/usr/sbin/" + name} {
			if found, err := exec.LookPath(path); err == nil {
				return found
			}
		}
	}
	if os.Getenv(requireEnv) != "" {
		t.Fatalf("%s is set, and none of %s is installed", requireEnv, strings.Join(names, ", "))
	}
	t.Skipf("none of %s is installed", strings.Join(names, ", "))
	return ""
}

// URL is where it is, without a password.
func (s *Server) URL() string { return "redis://" + s.Addr }

// Run starts the server, again after Kill, and waits until it listens.
func (s *Server) Run() {
	s.t.Helper()
	var said bytes.Buffer
	s.cmd = exec.Command(s.path, s.args...)
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Dir = &said, &said, s.Dir
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", s.Addr); err == nil {
			conn.Close()
			return
		}
		if time.Now().After(end) {
			s.Kill()
			s.t.Fatalf("%s does not listen: %s", s.path, &said)
		}
	}
}

// Kill kills the server at once.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	s.Continue() // a stopped one stays otherwise
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Stop stops the server: it accepts connections and says nothing.
func (s *Server) Stop() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue lets it go on.
func (s *Server) Continue() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// Do runs a command, and returns its answer, or all strings of that.
func (s *Server) Do(words ...string) []string {
	s.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.Addr, Protocol: 2, DisableIdentity: true, ReadTimeout: 20 * time.Second})
	defer client.Close()
	var args []any
	for _, word := range words {
		args = append(args, word)
	}
	answer, err := client.Do(context.Background(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		s.t.Fatalf("%s: %v", words[0], err)
	}
	switch answer := answer.(type) {
	case nil:
		return nil
	case []any:
		var all []string
		for _, one := range answer {
			all = append(all, fmt.Sprint(one))
		}
		return all
	default:
		return []string{fmt.Sprint(answer)}
	}
}

// Monitor returns what returns all that the server was told since.
func (s *Server) Monitor() (said func() []byte) {
	s.t.Helper()
	conn, err := net.DialTimeout("tcp", s.Addr, 5*time.Second)
	if err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprint(conn, "MONITOR\r\n")
	heard := make(chan []byte, 1)
	go func() {
		all, _ := io.ReadAll(conn) // until it is closed
		heard <- all
	}()
	return func() []byte {
		time.Sleep(100 * time.Millisecond) // what was said last is on its way
		conn.(*net.TCPConn).CloseRead()
		return <-heard
	}
}

// Files are the contents of all files that the server has written.
func (s *Server) Files() []byte {
	s.t.Helper()
	var all []byte
	err := filepath.WalkDir(s.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all = append(all, text...)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}
