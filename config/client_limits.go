package config

import (
	"math"
	"regexp"
	"strconv"
	"time"

	"ghapp-proxy/policy"
)

// readLimits reads what a client may use of the proxy.
func readLimits(t *table) policy.Limits {
	return policy.Limits{
		MaxConnections:    t.count("max_connections"),
		MaxRequests:       t.count("max_requests"),
		RequestsPerMinute: t.count("requests_per_minute"),
		MaxBody:           t.bytes("max_body"),
		MaxConnectionAge:  t.duration("max_connection_age"),
		LookupsPerMinute:  t.count("lookups_per_minute"),
		Weight:            t.upTo("weight", 1000),
		QuotaShare:        t.upTo("quota_share", 100),
	}
}

// count reads a positive number of things; 0 if it is not given.
func (t *table) count(key string) int {
	const most = 1_000_000_000
	n, _ := t.positive(key)
	if n > most {
		t.fault(key, withHint("leave the key out for the default", "must be %d at most", most))
		return 0
	}
	return int(n)
}

// upTo reads a positive number that is not large; 0 if it is not given.
func (t *table) upTo(key string, most int64) int {
	n, _ := t.positive(key)
	if n > most {
		t.fault(key, withHint("leave the key out for the default", "must be %d at most", most))
		return 0
	}
	return int(n)
}

var byteSize = regexp.MustCompile(`^([0-9]{1,18})(KiB|MiB|GiB)?$`)

// bytes reads a positive number of bytes, "10MiB" included; 0 if it is not given.
func (t *table) bytes(key string) int64 {
	if v, ok := t.lookup(key); !ok {
		return 0
	} else if _, number := v.(int64); number {
		n, _ := t.positive(key)
		return n
	}
	const hint = `a number of bytes, or text such as "512KiB", "10MiB" or "1GiB"`
	s, ok := read[string](t, key, "an integer or a string", hint)
	if !ok {
		return 0
	}
	m := byteSize.FindStringSubmatch(s)
	if m == nil {
		t.fault(key, withHint(hint, "not a size"))
		return 0
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	unit := map[string]int64{"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[m[2]]
	if err != nil || n == 0 || n > math.MaxInt64/unit {
		t.fault(key, withHint(hint, "not a size"))
		return 0
	}
	return n * unit
}

// duration reads a positive duration; 0 if it is not given.
func (t *table) duration(key string) time.Duration {
	const hint = `for example "90s", "30m" or "8h"`
	s, ok := read[string](t, key, "a string", hint)
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		t.fault(key, withHint(hint, "not a duration"))
		return 0
	}
	return d
}
