// Command bench measures what ghapp-proxy costs, beside nginx. It starts a GitHub
// of its own on loopback, the proxy and nginx, sends each the same requests in
// turns, and prints one table of ratios.
//
//	bench/run                      # builds the proxy, and measures everything
//	bench/run -only h1 -rounds 5   # scenarios whose name matches
//	bench/run -goproxy -squid      # goproxy's own interception, and squid's, beside them
//
// # What is compared
//
// nginx is a TLS reverse proxy that sets one field: it has no CONNECT, decides
// nothing, and logs nothing, so that its job is easier. The GitHub answers 401 to what does
// not have the credential, and each answer is checked: what is counted was rewritten.
//
// The figure to look at is the CPU time per request, user's and system's, of the
// process and its children, from /proc: it hardly depends on what else the machine does.
// Ratios are those of one round each, and of these the median. Rates and latencies are
// only comparable within one run.
//
// # Limitations
//
// Linux only; what is transparent listens on port 443, and is left out unless root measures. Client, GitHub and proxy share the machine's cores.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// settings are the flags.
type settings struct {
	binary   string
	rounds   int
	only     string
	duration time.Duration
	bulk     int64
	goproxy  bool
	squid    bool
	keep     bool
}

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case stubCommand:
			exit(runStub(os.Args[2:]))
		case goproxyCommand:
			exit(runGoproxy(os.Args[2:]))
		}
	}
	var s settings
	flag.StringVar(&s.binary, "binary", "", "the ghapp-proxy to measure")
	flag.IntVar(&s.rounds, "rounds", 3, "how often each scenario runs, in turns")
	flag.StringVar(&s.only, "only", ".", "`regexp` of the names of scenarios to run")
	flag.DurationVar(&s.duration, "duration", 4*time.Second, "of a scenario")
	flag.Int64Var(&s.bulk, "bulk", 1<<30, "bytes of a large body")
	flag.BoolVar(&s.goproxy, "goproxy", false, "measure goproxy's own interception, too")
	flag.BoolVar(&s.squid, "squid", false, "measure squid's interception, too (apt install squid-openssl; as root)")
	flag.BoolVar(&s.keep, "keep", false, "keep the directory with configurations and logs, and name it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(s.run(ctx, os.Stdout, os.Stderr))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run measures, and prints the table.
func (s *settings) run(ctx context.Context, out, progress io.Writer) (err error) {
	if s.binary == "" {
		return errors.New("-binary is missing: bench/run builds one")
	}
	only, err := regexp.Compile(s.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	dir, err := os.MkdirTemp("", "ghapp-proxy-bench")
	if err != nil {
		return err
	}
	defer func() {
		if s.keep {
			fmt.Fprintln(progress, "kept:", dir)
			return
		}
		err = cmp.Or(err, os.RemoveAll(dir))
	}()
	lab, err := newLab(ctx, dir, s.binary)
	if err != nil {
		return err
	}
	defer lab.close()
	var results results
	chosen := slices.DeleteFunc(scenarios(s), func(sc *scenario) bool { return !only.MatchString(sc.name) })
	if len(chosen) == 0 {
		return fmt.Errorf("-only: no scenario's name matches %q", s.only)
	}
	for round := range s.rounds {
		for _, sc := range chosen {
			if err := lab.measure(ctx, sc, round, &results, progress); err != nil {
				return fmt.Errorf("%s: %w", sc.name, err)
			}
		}
	}
	fmt.Fprintf(out, "%s, %d cores, %s, %d rounds of %v\n\n", cpuModel(), runtime.NumCPU(), runtime.Version(), s.rounds, s.duration)
	results.print(out)
	return nil
}

// measure runs a scenario through its peers. Each round begins with another one, so
// that what the machine does besides hits all alike.
func (l *lab) measure(ctx context.Context, sc *scenario, round int, results *results, progress io.Writer) error {
	for i := range sc.peers {
		name := sc.peers[(i+round)%len(sc.peers)]
		p, err := l.peer(ctx, name, sc.fresh)
		if err != nil {
			return fmt.Errorf("start %s: %w", name, err)
		}
		r, err := sc.load(ctx, p)
		if err != nil {
			return fmt.Errorf("through %s: %w", name, err)
		}
		results.add(sc.name, name, round, r)
		fmt.Fprintf(progress, "%d  %-28s %-10s %s\n", round, sc.name, name, r)
		if sc.fresh {
			l.stop(name)
		}
	}
	return ctx.Err()
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown machine"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown machine"
}
