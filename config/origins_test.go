package config

import (
	"slices"
	"testing"
)

func TestOrigins(t *testing.T) {
	cfg, errText := load(t, `origins = ["https://Dashboard.example.org", "http://localhost:3000", "*"]`+"\n"+minimal, nil)
	if want := []string{"https://dashboard.example.org", "http://localhost:3000", "*"}; errText != "" || !slices.Equal(cfg.Origins, want) {
		t.Errorf("%v, %s, want %q", cfg, errText, want)
	}
	const hint = `	hint: for example "https://dashboard.example.org", or "*" for the pages of all sites`
	testFaults(t, []faultTest{{name: "no origins", text: `origins = ["dashboard.example.org", "https://a.example/", "https://u@a.example", "null"]` + "\n" + minimal, want: []string{
		`config.toml:1: origins: element 1: "dashboard.example.org" is not the origin of web pages`, hint,
		`config.toml:1: origins: element 2: "https://a.example/" is not the origin of web pages`, hint,
		`config.toml:1: origins: element 3: "https://u@a.example" is not the origin of web pages`, hint,
		`config.toml:1: origins: element 4: "null" is not the origin of web pages`, hint,
	}}})
}
