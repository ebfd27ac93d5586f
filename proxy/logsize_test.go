package proxy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"ghapp-proxy/event"
	"ghapp-proxy/policy"
)

// audited is a client of the loopback network with an audit log.
func audited(t *testing.T, c *policy.Client) (*world, *logBuffer) {
	t.Helper()
	audit := &logBuffer{}
	return start(t, func(s *setup) {
		s.options.Clients, s.options.Audit = clients(t, c), audit
	}), audit
}

// Nothing that a client sends makes a line of a log much longer.
func TestLongNamesInLogs(t *testing.T) {
	w, audit := audited(t, &policy.Client{Name: "agent", Networks: loopback, ReadOnly: true})
	long := strings.Repeat("é%", 15000)
	for _, request := range []string{
		"CONNECT " + strings.Repeat("a", 60000) + ":443 HTTP/1.1\r\nHost: x\r\n\r\n",
		"CONNECT host.example.com:" + strings.Repeat("0", 60000) + "443 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://" + strings.Repeat("é", 30000) + "/ HTTP/1.1\r\nHost: x\r\n\r\n",
		strings.Repeat("A", 60000) + " http://api.github.com/repos/acme/widgets HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://api.github.com/repos/acme/" + long + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST http://api.github.com/repos/acme/" + long + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
	} {
		conn := w.dial(t)
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		conn.Read(make([]byte, 1)) // the answer, or none
		conn.Close()
	}
	for _, log := range []string{w.log.String(), audit.String()} {
		for line := range strings.Lines(log) {
			if len(line) > 32<<10 {
				t.Errorf("a line of %d bytes: %.200s", len(line), line)
			}
		}
	}
}

// A refusal of somebody who is known says so.
func TestRefusalsNameTheClient(t *testing.T) {
	w, audit := audited(t, &policy.Client{Name: "agent", Networks: loopback, Hosts: []string{"github.com"}})
	if status, _ := get(t, w.client(t, false), "http://api.github.com/zen"); status != 403 {
		t.Errorf("a host that is not the client's: %d", status)
	}
	var record event.Record
	waitFor(t, func() bool { return strings.HasSuffix(audit.String(), "\n") }, "the record")
	if err := json.Unmarshal([]byte(audit.String()), &record); err != nil || record.Client != "agent" || record.DecidedBy != "client.agent.hosts" {
		t.Errorf("the audit log has %s (%v)", audit, err)
	}
}

// Whoever is not known fills no log.
func TestStrangersFillNoLog(t *testing.T) {
	w, audit := audited(t, &policy.Client{Name: "agent", Secret: policy.HashSecret("x")})
	conn := w.dial(t)
	for range 300 {
		fmt.Fprint(conn, "GET http://api.github.com/zen HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	fmt.Fprint(conn, "GET http://api.github.com/zen HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	answers, err := io.ReadAll(conn)
	if n := bytes.Count(answers, []byte(fmt.Sprintf("HTTP/1.1 %d", http.StatusProxyAuthRequired))); err != nil || n != 301 {
		t.Errorf("%d of 301 requests were answered with 407 (%v)", n, err)
	}
	if n := strings.Count(w.log.String(), "level=INFO msg=refused"); n < 10 || n > 100 {
		t.Errorf("the log has %d lines of 301 refusals", n)
	}
	if audit.String() != "" {
		t.Errorf("nothing was decided, and the audit log has %s", audit)
	}
}
