package config

import (
	"time"

	"ghapp-proxy/governor"
)

const governorHint = "below a line [governor] there can be enabled, read_wait, write_wait, write_pause, concurrent, points_per_minute and others"

// readGovernor reads the [governor] table.
func readGovernor(t *table) governor.Settings {
	s := governor.Default
	s.On = t.boolean("enabled", true)
	t.wait("read_wait", &s.ReadWait, 10*time.Minute)
	t.wait("write_wait", &s.WriteWait, 10*time.Minute)
	t.wait("write_pause", &s.Limits.WritePause, time.Minute)
	for _, limit := range []struct {
		key   string
		value *int
	}{
		{"concurrent", &s.Limits.Concurrent},
		{"points_per_minute", &s.Limits.Points},
		{"graphql_points_per_minute", &s.Limits.GraphQLPoints},
		{"creations_per_minute", &s.Limits.CreationsAMinute},
		{"creations_per_hour", &s.Limits.CreationsAnHour},
		{"mints_per_hour", &s.Limits.MintsAnHour},
	} {
		if n := t.count(limit.key); n > 0 {
			*limit.value = n
		}
	}
	if t.boolean("enterprise_server", false) {
		s.Server = s.Limits
	}
	return s
}

// wait reads a duration, which may be "0s".
func (t *table) wait(key string, value *time.Duration, most time.Duration) {
	if v, _ := t.lookup(key); v == "0s" || v == "0" {
		*value = 0
		return
	}
	d := t.duration(key)
	if d > most {
		t.fault(key, withHint("connections of clients do not live for ever", "must be %s at most", most))
		return
	}
	if d > 0 {
		*value = d
	}
}
