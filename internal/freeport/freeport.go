// Package freeport finds addresses of loopback for what a test starts later.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The ports that are handed out. Port 0 and connections take theirs above them: from 32768 on
// Linux, and from 49152 elsewhere.
const first, last = 10000, 32767

// Find returns an address of 127.0.0.1 that nobody has, over TCP or UDP. Nobody who takes any
// port takes it before the caller does.
func Find() (string, error) {
	var failed error
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(last-first+1)))
		if failed = isFree(address); failed == nil {
			return address, nil
		}
	}
	return "", fmt.Errorf("no free port: %w", failed)
}

// Address is what Find returns. The test ends where it fails.
func Address(t testing.TB) string {
	t.Helper()
	address, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func isFree(address string) error {
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	return udp.Close()
}

// Port is the port of an Address.
func Port(t testing.TB) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(Address(t))
	return port
}
