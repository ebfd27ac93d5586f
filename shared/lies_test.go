//go:build unix

package shared_test

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ghapp-proxy/internal/redistest"
	"ghapp-proxy/shared"
)

// liar stands before a server, and says something else in place of all that it answers once it is told to. It returns its address.
func liar(t *testing.T, server *redistest.Server, says *atomic.Pointer[string]) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	serve := func(client net.Conn) {
		defer client.Close()
		behind, err := net.Dial("tcp", server.Addr)
		if err != nil {
			return
		}
		defer behind.Close()
		go func() {
			_, _ = io.Copy(behind, client)
			behind.Close()
		}()
		for text := make([]byte, 4096); ; {
			n, err := behind.Read(text)
			if err != nil {
				return
			}
			answer := text[:n]
			if lie := says.Load(); lie != nil {
				answer = []byte(*lie)
			}
			if _, err := client.Write(answer); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			go serve(client)
		}
	}()
	return ln.Addr().String()
}

// TestAbsurdLengths: a store that says that an answer is longer than all memory ends nothing but the question, and is left alone.
func TestAbsurdLengths(t *testing.T) {
	server := redistest.Start(t)
	for _, lie := range []string{
		"$9223372036854775806\r\n", "$1099511627776\r\n", "*9223372036854775806\r\n", ">9223372036854775806\r\n", "%4611686018427387904\r\n", "~1099511627776\r\n", "=9223372036854775806\r\n",
		strings.Repeat("*1000000\r\n", 50),
	} {
		t.Run(lie[:5], func(t *testing.T) {
			var says atomic.Pointer[string]
			s, err := shared.Open(shared.Options{URL: "redis://" + liar(t, server, &says), Patience: 200 * time.Millisecond, Timeout: 500 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			heard := make(chan struct{}, 100)
			s.Hear("topic", func([]byte) { heard <- struct{}{} })
			eventually(t, "it is heard", func() bool {
				s.Tell("topic", nil)
				select {
				case <-heard:
					return true
				case <-time.After(10 * time.Millisecond):
					return false
				}
			})
			says.Store(&lie)
			eventually(t, "it is away", func() bool {
				_, _ = s.Claim(t.Context(), "key", 0)
				_ = s.Get(t.Context(), "key")
				s.Put("key", value(1, "x"), time.Minute)
				server.Do("PUBLISH", "ghapp-proxy:events", "x")
				return s.Stats().Away
			})
			says.Store(nil)
			eventually(t, "it is back", func() bool { return !s.Stats().Away })
		})
	}
}
