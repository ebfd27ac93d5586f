package cli

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

func TestPercentFor(t *testing.T) {
	for live, want := range map[uint64]int{0: 300, 1 << 20: 300, 8 << 20: 150, 12 << 20: 100, 1 << 40: 100} {
		if got := percentFor(live); got != want {
			t.Errorf("%d bytes in use: GOGC=%d, want %d", live, got, want)
		}
	}
}

// The collector is set to what is in use, each time it has run; not where the environment says how.
// It runs in a process of its own, which stays so.
func TestCollectSeldom(t *testing.T) {
	gogc := os.Getenv("GOGC")
	if os.Getenv("GHAPP_PROXY_TEST_COLLECT") == "" {
		for _, gogc := range []string{"", "50"} {
			cmd := exec.Command(os.Args[0], "-test.run=^TestCollectSeldom$")
			cmd.Env = append(os.Environ(), "GHAPP_PROXY_TEST_COLLECT=1", "GOGC="+gogc)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("GOGC=%q: %v, %s", gogc, err, out)
			}
		}
		return
	}
	collectSeldom()
	for _, step := range []struct {
		use         int
		least, most uint64
	}{{0, 101, 300}, {64 << 20, 100, 100}, {0, 101, 300}} {
		held := make([]byte, step.use)
		if gogc != "" {
			step.least, step.most = 50, 50
		}
		percent := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			runtime.GC()
			if metrics.Read(percent); step.least <= percent[0].Value.Uint64() && percent[0].Value.Uint64() <= step.most {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("with %d bytes in use: GOGC=%d, want %d to %d", step.use, percent[0].Value.Uint64(), step.least, step.most)
			}
		}
		runtime.KeepAlive(held)
	}
}
