package config

import (
	"testing"
	"time"

	"ghapp-proxy/governor"
)

func TestGovernor(t *testing.T) {
	with := func(change func(*governor.Settings)) governor.Settings {
		s := governor.Default
		change(&s)
		return s
	}
	for text, want := range map[string]governor.Settings{
		"":                            governor.Default,
		"[governor]":                  governor.Default,
		"[governor]\nenabled = false": with(func(s *governor.Settings) { s.On = false }),
		"[governor]\nread_wait = \"0s\"\nwrite_wait = \"1m\"":     with(func(s *governor.Settings) { s.ReadWait, s.WriteWait = 0, time.Minute }),
		"[governor]\nwrite_pause = \"0s\"":                        with(func(s *governor.Settings) { s.Limits.WritePause = 0 }),
		"[governor]\nconcurrent = 5\npoints_per_minute = 6":       with(func(s *governor.Settings) { s.Limits.Concurrent, s.Limits.Points = 5, 6 }),
		"[governor]\ngraphql_points_per_minute = 7":               with(func(s *governor.Settings) { s.Limits.GraphQLPoints = 7 }),
		"[governor]\ncreations_per_minute = 8":                    with(func(s *governor.Settings) { s.Limits.CreationsAMinute = 8 }),
		"[governor]\ncreations_per_hour = 9\nmints_per_hour = 10": with(func(s *governor.Settings) { s.Limits.CreationsAnHour, s.Limits.MintsAnHour = 9, 10 }),
		"[governor]\nenterprise_server = true":                    with(func(s *governor.Settings) { s.Server = s.Limits }),
	} {
		cfg, errText := load(t, minimal+text+"\n", nil)
		if errText != "" || cfg.Governor != want {
			t.Errorf("%q: %+v, want %+v: %s", text, cfg.Governor, want, errText)
		}
	}
	for _, text := range []string{
		"[governor]\nenabled = 1", "[governor]\nread_wait = \"an hour\"", "[governor]\nread_wait = \"1h\"", "[governor]\nconcurrent = 0",
		"[governor]\npoints = 900", "[client.a]\nnetworks = [\"10.0.0.0/8\"]\nquota_share = 101", "[client.a]\nnetworks = [\"10.0.0.0/8\"]\nweight = 0",
	} {
		if _, errText := load(t, minimal+text+"\n", nil); errText == "" {
			t.Errorf("%q is no fault", text)
		}
	}
}
