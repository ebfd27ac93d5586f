package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ghapp-proxy/githubtest"
)

const (
	// chaosEnv is how long TestChaos lasts: "60s", "10m", or how many requests,
	// "100000".
	chaosEnv = "GHAPP_PROXY_CHAOS"
	// chaosSeedEnv repeats a run, as far as the scheduler lets it.
	chaosSeedEnv = "GHAPP_PROXY_CHAOS_SEED"
)

// TestChaos: clients, GitHub and the operator misbehave at once, and then stop.
// The process lives, it is as large as before, every request has its record, and
// the next request takes its normal time.
func TestChaos(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts descriptors in /proc")
	}
	if os.Getenv(chaosEnv) == "" {
		t.Skipf("%s does not say for how long", chaosEnv)
	}
	requests, lasts := int64(math.MaxInt64), time.Hour
	n, err := strconv.ParseInt(os.Getenv(chaosEnv), 10, 64)
	if err == nil {
		requests = n
	} else if lasts, err = time.ParseDuration(os.Getenv(chaosEnv)); err != nil {
		t.Fatalf("%s: %v", chaosEnv, err)
	}
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv(chaosSeedEnv), strconv.FormatUint(rand.Uint64(), 10)), 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", chaosSeedEnv, err)
	}
	t.Logf("%s=%s %s=%d", chaosEnv, os.Getenv(chaosEnv), chaosSeedEnv, seed)

	s := startStorm(t, seed)
	s.rage(t, max(lasts/5, 2*time.Second), requests/5) // fills the caches and pools
	before, took := s.calm(t, nil), s.normalRequest(t)
	s.rage(t, lasts, requests)
	after, takes := s.calm(t, &before), s.normalRequest(t)
	for range 3 { // the machine may have been busy with something else
		takes = min(takes, s.normalRequest(t))
	}
	t.Logf("before: %v, a request %v; after %d requests: %v, a request %v", before, took, s.ids.Load(), after, takes)
	if takes > 5*took+20*time.Millisecond {
		t.Errorf("a request takes %v, and took %v before", takes, took)
	}
	s.stop(t)
	s.checkLog(t)
	s.checkRecords(t)
}

// storm is a running proxy between a GitHub and clients that misbehave.
type storm struct {
	seed   uint64
	dir    string
	github *githubtest.Server
	rude   *rudeServer // in place of uploads.github.com
	echo   net.Listener
	proxy  *exec.Cmd
	died   chan struct{} // closed when it has ended
	exit   error         // how, then
	addr   string
	roots  *x509.CertPool // what clients trust
	log    *os.File

	ids     atomic.Int64
	tunnels atomic.Int64 // that were established
	mu      sync.Mutex
	ended   map[string]bool // path that was asked for once → there was an answer
}

// stormClients are the clients of the proxy. The third comes and goes.
var stormClients = []string{"one", "two", "three"}

func secretOf(client string) string { return "the secret of " + client }

func secretHash(client string) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(secretOf(client))))
}

const stormConfig = `
audit_log = "audit.jsonl"

[client.one]
secret_hash = "%s"

[client.two]
secret_hash = "%s"
repositories = ["acme/widgets"]
permissions = { contents = "write", issues = "write" }
push = ["refs/heads/agent/**"]
`

// stormChanges are what a reload adds to stormConfig. The second is faulty.
var stormChanges = []string{
	"[client.three]\nsecret_hash = \"%s\"\nread_only = true\n",
	"[client.three]\nsecret_hash = \"%s\"\nread_onyl = true\n",
	"[client.three]\nsecret_hash = \"%s\"\nmax_requests = 4\nrequests_per_minute = 6000\n",
	"[client.three]\nsecret_hash = \"%s\"\n[[rule]]\noperations = [\"licenses/get-for-repo\"]\ndeny = \"no licenses today\"\n",
	"",
}

func startStorm(t *testing.T, seed uint64) *storm {
	t.Helper()
	s := &storm{
		seed: seed, dir: t.TempDir(), ended: make(map[string]bool), roots: x509.NewCertPool(),
		github: githubtest.Start(t, githubtest.Options{MaxRequests: 100}), rude: startRude(t),
	}
	var err error
	if s.echo, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.echo.Close() })
	go echoAll(s.echo)
	s.github.Handle("api.github.com", "/repos/acme/widgets/contents/{chaos}", http.HandlerFunc(answerChaos))
	if err := writeConfig(s.dir, s.github); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(s.dir, "keys/github-ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "keys/github-ca.pem", string(ca)+string(s.rude.caPEM))
	base, err := os.ReadFile(filepath.Join(s.dir, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`"uploads.github.com:443" = "[^"]*"`).ReplaceAllString(string(base),
		fmt.Sprintf(`"uploads.github.com:443" = %q, "echo.example.org:443" = %q`, s.rude.addr, s.echo.Addr()))
	s.write(t, "base.toml", strings.Replace(text, "\n[app.ci-bot]", fmt.Sprintf(stormConfig, secretHash("one"), secretHash("two"))+"\n[app.ci-bot]", 1))
	s.configure(t, 0)
	s.startProxy(t)
	return s
}

func (s *storm) write(t *testing.T, name, text string) {
	t.Helper()
	// Renamed into place, as editors do: the proxy never reads half a file.
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path+"~", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

// configure writes the configuration with one of the changes.
func (s *storm) configure(t *testing.T, change int) {
	t.Helper()
	base, err := os.ReadFile(filepath.Join(s.dir, "base.toml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "config.toml", string(base)+"\n"+strings.Replace(stormChanges[change], "%s", secretHash("three"), 1))
}

// startProxy starts the program: this very binary, so that it has the race
// detector where the test has it.
func (s *storm) startProxy(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.proxy = exec.Command(self, "serve", "--log-format", "text", "--config", filepath.Join(s.dir, "config.toml"))
	s.proxy.Args[0] = watchedCommand
	s.proxy.Env = append(os.Environ(), "HOME="+s.dir, "XDG_STATE_HOME="+filepath.Join(s.dir, "state"), watchEnv+"="+filepath.Join(s.dir, "watch.sock"))
	if s.log, err = os.Create(filepath.Join(s.dir, "proxy.log")); err != nil {
		t.Fatal(err)
	}
	s.proxy.Stderr = s.log
	if err := s.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	s.died = make(chan struct{})
	go func() {
		s.exit = s.proxy.Wait()
		close(s.died)
	}()
	t.Cleanup(func() {
		s.proxy.Process.Kill() // it has ended, or the test has failed
		<-s.died
		s.log.Close()
	})
	listening := regexp.MustCompile(`msg=listening address=(\S+)`)
	s.eventually(t, "the proxy listens", func() bool {
		match := listening.FindStringSubmatch(s.logText(t))
		if match != nil {
			s.addr = match[1]
		}
		return match != nil
	})
	resp, err := http.Get("http://" + s.addr + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	pem, err := io.ReadAll(resp.Body)
	if err != nil || !s.roots.AppendCertsFromPEM(pem) {
		t.Fatalf("/ca.pem: %v %s", err, pem)
	}
	s.write(t, "ca.pem", string(pem))
}

func (s *storm) logText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (s *storm) eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(90 * time.Second)
	for !is() {
		select {
		case <-s.died:
			t.Fatalf("the proxy has died: %v\n%s", s.exit, tail(s.logText(t)))
		case <-deadline:
			t.Fatalf("it never came to it that %s\n%s", what, tail(s.logText(t)))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func tail(text string) string { return text[max(0, len(text)-8<<10):] }

// rage lets everybody misbehave for a while, or for so many requests.
func (s *storm) rage(t *testing.T, lasts time.Duration, requests int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	last := s.ids.Load() + min(requests, math.MaxInt64/2)
	var actors sync.WaitGroup
	for i, act := range slices.Concat([]func(*testing.T, context.Context, *rand.Rand){
		s.misbehaveGitHub, s.reload,
		s.plainRequests, s.plainRequests, s.plainRequests, s.plainRequests,
		s.multiplexedRequests, s.multiplexedRequests,
		s.uploads, s.uploads, s.tunnel, s.strange,
	}, s.programs()) {
		rnd := rand.New(rand.NewPCG(s.seed, uint64(i)))
		actors.Go(func() {
			for ctx.Err() == nil && s.ids.Load() < last {
				act(t, ctx, rnd)
			}
		})
	}
	actors.Wait()
}

// calm waits until everybody behaves, and says how large the proxy is then: no
// larger than before, where that is given.
func (s *storm) calm(t *testing.T, before *size) size {
	t.Helper()
	s.github.ClearFaults()
	s.github.SetClockSkew(0)
	s.configure(t, 0)
	if err := s.proxy.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.eventually(t, "a request succeeds", func() bool {
		resp, err := s.get(s.next())
		return err == nil && resp == http.StatusOK
	})
	var now size
	var readings []size
	s.eventually(t, "the proxy is as large as before", func() bool {
		s.github.CloseIdle()
		s.rude.closeIdle()
		now = s.size(t)
		readings = append(readings, now)
		if before != nil {
			if len(readings) == 300 {
				t.Logf("before: %v; now: %v\n%s\n%s", before, now, s.watch(t, "goroutine"), s.watch(t, "heap"))
			}
			return now.within(*before)
		}
		// What is measured first has to have settled.
		return len(readings) > 10 && now.within(readings[len(readings)-10]) && readings[len(readings)-10].within(now)
	})
	return now
}

// size is how much a proxy has of what could leak.
type size struct {
	Goroutines, Descriptors int
	Heap                    int64 // bytes in use
}

// within reports whether a size is no larger than another by more than 5 %, and
// what a connection more or less makes.
func (a size) within(b size) bool {
	return a.Goroutines <= b.Goroutines*105/100+4 && a.Descriptors <= b.Descriptors*105/100+4 && a.Heap <= b.Heap*105/100+512<<10
}

func (a size) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d KiB", a.Goroutines, a.Descriptors, a.Heap>>10)
}

func (s *storm) size(t *testing.T) (now size) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.watch(t, "size")), &now); err != nil {
		t.Fatal(err)
	}
	return now
}

// watch asks the proxy's own process.
func (s *storm) watch(t *testing.T, what string) string {
	t.Helper()
	conn, err := net.Dial("unix", filepath.Join(s.dir, "watch.sock"))
	if err != nil {
		t.Fatalf("the proxy has died: %v\n%s", err, tail(s.logText(t)))
	}
	defer conn.Close()
	fmt.Fprintln(conn, what)
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// get makes a request as anybody would.
func (s *storm) get(path string) (status int, err error) {
	transport := &http.Transport{Proxy: http.ProxyURL(s.proxyURL("one")), TLSClientConfig: s.tls("api.github.com")}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	resp, err := client.Get("https://api.github.com" + path)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func (s *storm) proxyURL(client string) *url.URL {
	return &url.URL{Scheme: "http", User: url.UserPassword(client, secretOf(client)), Host: s.addr}
}

// normalRequest is how long a request takes, connecting included: the median of some.
func (s *storm) normalRequest(t *testing.T) time.Duration {
	t.Helper()
	var took []time.Duration
	for range 21 {
		start := time.Now()
		if status, err := s.get(s.next()); err != nil || status != http.StatusOK {
			t.Fatalf("a normal request: %d, %v", status, err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// next is a path that is asked for once.
func (s *storm) next() string {
	return fmt.Sprintf("/repos/acme/widgets/contents/chaos-%d", s.ids.Add(1))
}

// note says that a path was asked for, and whether there was an answer.
func (s *storm) note(path string, answered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[path] = answered
}

// stop ends the proxy as an operator does.
func (s *storm) stop(t *testing.T) {
	t.Helper()
	if err := s.proxy.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.died:
		if s.exit != nil {
			t.Errorf("ghapp-proxy serve: %v\n%s", s.exit, tail(s.logText(t)))
		}
	case <-time.After(time.Minute):
		t.Error("ghapp-proxy serve does not end")
	}
}

// checkLog looks for what must never stand in the log.
func (s *storm) checkLog(t *testing.T) {
	t.Helper()
	text := s.logText(t)
	for _, bad := range []string{"panic", "DATA RACE", "a fault of ghapp-proxy", "goroutine "} {
		if at := strings.Index(text, bad); at >= 0 {
			t.Errorf("the log has %q:\n%s", bad, text[at:min(len(text), at+4<<10)])
		}
	}
	if leaks := s.github.Leaks([]byte(text)); len(leaks) > 0 {
		t.Errorf("the log has %d secrets", len(leaks))
	}
}

// checkRecords compares the audit log with what the clients saw: a request that
// was answered has one record, and none has two.
func (s *storm) checkRecords(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if leaks := s.github.Leaks(text); len(leaks) > 0 {
		t.Errorf("the audit log has %d secrets", len(leaks))
	}
	records, tunnels := make(map[string]int), int64(0)
	for line := range strings.Lines(string(text)) {
		var record struct{ Kind, Phase, Path string }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		switch {
		case record.Phase == "begin":
		case record.Kind == "tunnel":
			tunnels++
		default:
			records[record.Path]++
		}
	}
	log, answered, faults := s.logText(t), 0, 0
	for path, ok := range s.ended {
		if ok {
			answered++
		}
		if n := records[path]; n > 1 || ok && n == 0 {
			if faults++; faults <= 10 {
				t.Errorf("%s has %d records; answered: %v; the log says:\n%s", path, n, ok, linesWith(log, path+" "))
			}
		}
	}
	// Some clients do not see that theirs is established: a reload cuts it.
	if want := s.tunnels.Load(); tunnels < want {
		t.Errorf("%d tunnels have a record, and %d were established", tunnels, want)
	}
	t.Logf("%d requests, %d answered, %d with a fault in the records; %d tunnels", len(s.ended), answered, faults, tunnels)
	if answered < 50 {
		t.Errorf("only %d requests were answered", answered)
	}
}

// linesWith are the lines of a text that contain another.
func linesWith(text, part string) string {
	var found strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			found.WriteString(line)
		}
	}
	return found.String()
}

// echoAll sends back what comes, for tunnels.
func echoAll(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		go func() {
			defer conn.Close()
			io.Copy(conn, conn)
		}()
	}
}
