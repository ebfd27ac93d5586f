package freeport

import (
	"net"
	"testing"
)

// An address that somebody has, over either protocol, is not free; one that is handed out is, for both.
func TestIsFree(t *testing.T) {
	address := Address(t)
	udp, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	if isFree(address) == nil {
		t.Errorf("%s is free, and has an UDP socket", address)
	}
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	udp.Close()
	if isFree(address) == nil {
		t.Errorf("%s is free, and has a TCP socket", address)
	}
	tcp.Close()
	if err := isFree(address); err != nil {
		t.Error(err)
	}
	if _, port, _ := net.SplitHostPort(address); len(port) != 5 || port > "32767" {
		t.Errorf("port %s is one that connections take", port)
	}
}
