package main

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
)

const (
	// watchedCommand is this program, with a door for TestChaos to look through.
	watchedCommand = "ghapp-proxy-watched"
	// watchEnv names the Unix socket of that door.
	watchEnv = "GHAPP_PROXY_WATCH"
)

// watched is main with the door. What it says cannot be learned from outside: the
// process does not let others look into /proc.
func watched() {
	ln, err := net.Listen("unix", os.Getenv(watchEnv))
	if err != nil {
		panic(err)
	}
	runtime.MemProfileRate = 4 << 10
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				panic(err)
			}
			answerWatch(conn)
		}
	}()
	main()
}

func answerWatch(conn net.Conn) {
	defer conn.Close()
	asked, _ := bufio.NewReader(conn).ReadString('\n') // nothing is no question
	switch asked {
	case "size\n":
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			panic(err)
		}
		runtime.GC() // twice: what a sync.Pool holds survives the first
		debug.FreeOSMemory()
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		_ = json.NewEncoder(conn).Encode(size{runtime.NumGoroutine(), len(open), int64(memory.HeapAlloc)}) // the test sees that it is missing
	case "goroutine\n", "heap\n":
		_ = pprof.Lookup(strings.TrimSpace(asked)).WriteTo(conn, 1)
	}
}
