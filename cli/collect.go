package cli

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The garbage collector begins when as much is garbage as is in use, but not before there is
// leastGarbage; in bytes. Go alone takes 4 MiB for that, its heapMinimum: a proxy that has little to
// remember would collect many times a second.
const (
	leastGarbage = 12 << 20
	heapMinimum  = 4 << 20
)

// collectSeldom sets the garbage collector so for the rest of the process. It leaves GOGC of the
// environment alone; GOMEMLIMIT goes first, as ever.
func collectSeldom() {
	if os.Getenv("GOGC") != "" {
		return
	}
	adaptCollector(percentFor(0))
}

// adaptCollector sets the collector to percent, and after its next run to what is right then.
func adaptCollector(percent int) {
	debug.SetGCPercent(percent)
	type collected [32]byte // not one of those so small that they share memory
	runtime.AddCleanup(new(collected), func(struct{}) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		adaptCollector(percentFor(live[0].Value.Uint64()))
	}, struct{}{})
}

// percentFor is the GOGC with which so much in use, in bytes, gets its garbage.
func percentFor(live uint64) int {
	return int(max(100, 100*leastGarbage/max(live, heapMinimum)))
}
