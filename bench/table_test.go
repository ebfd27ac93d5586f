package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// TestTable: ratios are those of one round, and of these the median.
func TestTable(t *testing.T) {
	var r results
	for round, cpu := range []struct{ direct, nginx, ours float64 }{{0, 1, 3}, {0, 10, 20}, {0, 2, 2}} {
		one := func(cpu float64, took time.Duration) result {
			return result{cpu: cpu, took: []time.Duration{took, took, 2 * took}}
		}
		r.add("h1", direct, round, one(cpu.direct, time.Millisecond))
		r.add("h1", nginx, round, one(cpu.nginx, 2*time.Millisecond))
		r.add("h1", shipped, round, one(cpu.ours, 4*time.Millisecond))
	}
	r.add("clone", shipped, 0, result{cpu: 2, bytes: 2 << 30, took: []time.Duration{time.Second}})
	var out bytes.Buffer
	r.print(&out)
	want := "| scenario | peer | cost | unit | x nginx | x ghapp-proxy | added p50 | added p99 |\n|---|---|---|---|---|---|---|---|\n" +
		"| h1 | nginx | 666.7 | s/1k | - | 0.50 | 1ms | 2ms |\n| h1 | ghapp-proxy | 1000 | s/1k | 2.00 | - | 3ms | 6ms |\n" +
		"| clone | ghapp-proxy | 1 | s/GiB | - | - | - | - |\n"
	if got := out.String(); got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
}

func TestReadStat(t *testing.T) {
	file := t.TempDir() + "/stat"
	fields := strings.Repeat("0 ", 9)
	if err := os.WriteFile(file, []byte("42 (a) b (c)) S 7 "+fields+"150 50 0 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readStat(file); err != nil || got != (stat{42, 7, 2}) {
		t.Errorf("readStat = %+v, %v", got, err)
	}
	for _, text := range []string{"", "42", "42 (a) S 7"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readStat(file); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}
