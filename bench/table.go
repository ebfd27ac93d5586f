package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// result is what one load came to.
type result struct {
	cpu   float64         // seconds of the peer's
	took  []time.Duration // by each request, sorted
	bytes int64           // of a large body
	idle  int64           // bytes for each idle connection
}

// cost is the CPU time per 1,000 requests, or per GiB, in seconds; or the bytes of
// an idle connection.
func (r result) cost() float64 {
	switch {
	case r.idle > 0:
		return float64(r.idle)
	case r.bytes > 0:
		return r.cpu / (float64(r.bytes) / (1 << 30))
	default:
		return r.cpu / float64(len(r.took)) * 1000
	}
}

// unit is that of cost.
func (r result) unit() string {
	switch {
	case r.idle > 0:
		return "bytes"
	case r.bytes > 0:
		return "s/GiB"
	default:
		return "s/1k"
	}
}

// quantile is how long so much of the requests took at most.
func (r result) quantile(q float64) time.Duration {
	if len(r.took) == 0 {
		return 0
	}
	return r.took[min(len(r.took)-1, int(q*float64(len(r.took))))]
}

func (r result) String() string {
	return fmt.Sprintf("%9.4f %-5s  %7d requests  p50 %-9v p99 %v", r.cost(), r.unit(), len(r.took),
		r.quantile(.5).Round(time.Microsecond), r.quantile(.99).Round(time.Microsecond))
}

// results are those of all rounds.
type results struct {
	rows []*row
}

// row is a scenario through a peer.
type row struct {
	scenario, peer string
	rounds         map[int]result
}

func (r *results) add(scenario, peer string, round int, one result) {
	found := r.find(scenario, peer)
	if found == nil {
		found = &row{scenario, peer, make(map[int]result)}
		r.rows = append(r.rows, found)
	}
	found.rounds[round] = one
}

func (r *results) find(scenario, peer string) *row {
	i := slices.IndexFunc(r.rows, func(r *row) bool { return r.scenario == scenario && r.peer == peer })
	if i < 0 {
		return nil
	}
	return r.rows[i]
}

// print prints the table.
func (r *results) print(out io.Writer) {
	fmt.Fprintln(out, "| scenario | peer | cost | unit | x nginx | x ghapp-proxy | added p50 | added p99 |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|")
	for _, row := range r.rows {
		if row.peer == direct {
			continue
		}
		cost := row.median(func(one result) float64 { return one.cost() })
		fmt.Fprintf(out, "| %s | %s | %.4g | %s | %s | %s | %s | %s |\n", row.scenario, row.peer, cost, row.any().unit(),
			r.ratio(row, nginx), r.ratio(row, shipped), r.added(row, .5), r.added(row, .99))
	}
}

// ratio is a row's cost to that of another peer in the same scenario and round: the
// median.
func (r *results) ratio(row *row, peer string) string {
	base := r.find(row.scenario, peer)
	if base == nil || base == row {
		return "-"
	}
	return fmt.Sprintf("%.2f", row.paired(base, func(one, base result) float64 { return one.cost() / base.cost() }))
}

// added is by how much a request takes longer than without a peer.
func (r *results) added(row *row, q float64) string {
	base := r.find(row.scenario, direct)
	if base == nil || row.any().bytes > 0 {
		return "-"
	}
	more := row.paired(base, func(one, base result) float64 { return float64(one.quantile(q) - base.quantile(q)) })
	return time.Duration(more).Round(time.Microsecond).String()
}

// any is one of the results.
func (r *row) any() result {
	for _, one := range r.rounds {
		return one
	}
	return result{}
}

func (r *row) median(of func(result) float64) float64 {
	return r.paired(r, func(one, _ result) float64 { return of(one) })
}

// paired is the median of what two rows make in each round.
func (r *row) paired(other *row, of func(one, other result) float64) float64 {
	var values []float64
	for round, one := range r.rounds {
		if theirs, ok := other.rounds[round]; ok {
			values = append(values, of(one, theirs))
		}
	}
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}
