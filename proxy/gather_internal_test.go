package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"testing"
)

// writesNoted is a connection that notes how much each Write wrote.
type writesNoted struct {
	net.Conn
	writes []int
	fails  error
}

func (c *writesNoted) Write(p []byte) (int, error) {
	if c.fails != nil {
		return 0, c.fails
	}
	c.writes = append(c.writes, len(p))
	return c.Conn.Write(p)
}

// gatheringTest returns a connection as the relay writes answers to it, what is under it, and
// the client.
func gatheringTest(t *testing.T) (*gathering, *writesNoted, *tls.Conn) {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS() // for its certificate
	config := &tls.Config{Certificates: server.TLS.Certificates, DynamicRecordSizingDisabled: true}
	server.Close()
	theirs, ours := net.Pipe()
	t.Cleanup(func() { theirs.Close(); ours.Close() })
	under := &writesNoted{Conn: ours}
	secure := tls.Server(&interceptedConn{Conn: under}, config)
	client := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true})
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	if err := errors.Join(secure.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	under.writes = nil
	return &gathering{insideConn: &insideConn{Conn: secure}}, under, client
}

// The records of one Write leave in one write, as far as there is room for them.
func TestGather(t *testing.T) {
	for _, test := range []struct{ size, writes int }{
		{1, 1}, {maxPlaintext, 1}, {maxPlaintext + 1, 1}, {maxHeld, 1}, {1 << 20, 32},
	} {
		c, under, client := gatheringTest(t)
		text := bytes.Repeat([]byte("abcdefg"), test.size/7+1)[:test.size]
		got := make(chan []byte, 1)
		go func() {
			all := make([]byte, test.size)
			n, _ := io.ReadFull(client, all)
			got <- all[:n]
		}()
		n, err := c.Write(text)
		if n != test.size || err != nil || len(under.writes) != test.writes {
			t.Errorf("a Write of %d octets: %d, %v, in writes of %v, want %d", test.size, n, err, under.writes, test.writes)
		}
		if !bytes.Equal(<-got, text) {
			t.Errorf("of %d octets others arrived", test.size)
		}
	}
}

// What cannot be written is an error of that Write, and nothing is written after it.
func TestGatherFails(t *testing.T) {
	c, under, _ := gatheringTest(t)
	fault := errors.New("no way")
	under.fails = fault
	if n, err := c.Write(make([]byte, 2*maxPlaintext)); n != 0 || !errors.Is(err, fault) {
		t.Errorf("Write: %d, %v", n, err)
	}
	under.fails = nil
	if _, err := c.Write([]byte("more")); !errors.Is(err, fault) {
		t.Errorf("the next Write: %v", err)
	}
	if len(under.writes) > 0 {
		t.Errorf("%v octets were written behind what is missing", under.writes)
	}
}

// What others write meanwhile keeps its place, and what is given back is not seen again.
func TestGatherOrder(t *testing.T) {
	var g gather
	var to bytes.Buffer
	write := func(s string) {
		if n, err := g.write(&to, []byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	var seen []string
	write("a")
	g.begin()
	write("b")
	write("c")
	seen = append(seen, to.String())
	if err := g.end(&to); err != nil {
		t.Fatal(err)
	}
	seen = append(seen, to.String())
	write("d")
	g.begin()
	if err := g.end(&to); err != nil {
		t.Fatal(err)
	}
	if seen = append(seen, to.String()); !slices.Equal(seen, []string{"a", "abc", "abcd"}) {
		t.Errorf("%q", seen)
	}
}
