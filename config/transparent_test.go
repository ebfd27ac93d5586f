package config

import (
	"net/netip"
	"strings"
	"testing"

	"ghapp-proxy/transparent"
)

func TestTransparent(t *testing.T) {
	own := transparent.Ranges{IPv4: netip.MustParsePrefix("10.9.0.0/16")}
	for text, want := range map[string]Transparent{
		"[transparent]\nlisten = \"0.0.0.0:8443\"\ndns_listen = \"0.0.0.0:53\"": {Listen: "0.0.0.0:8443", DNSListen: "0.0.0.0:53", Ranges: transparent.DefaultRanges},
		"": {},
		"[transparent]\nlisten = \"0.0.0.0:8443\"": {Listen: "0.0.0.0:8443"},
		"[transparent]\nlisten = \"127.0.0.1:8443\"\ndns_listen = \"127.0.0.1:53\"\nranges = [\"10.9.0.0/16\"]\nclient = \"agent\"\n[client.agent]\nuids = [1]": {Listen: "127.0.0.1:8443", DNSListen: "127.0.0.1:53", Client: "agent", Ranges: own},
	} {
		cfg, errText := load(t, minimal+text, nil)
		got := cfg.Transparent
		if errText != "" || got != want || len(cfg.Warnings) > 0 {
			t.Errorf("%s: %+v, %s %v, want %+v", text, got, errText, cfg.Warnings, want)
		}
	}
}

func TestTransparentFaults(t *testing.T) {
	for text, want := range map[string]string{
		"dns_listen = \"127.0.0.1:53\"":                                                                      "transparent.dns_listen: listen is missing",
		"client = \"agent\"":                                                                                 "transparent.client: listen is missing",
		"listen = \"8443\"":                                                                                  "transparent.listen: must be an address and a port",
		"listen = \"127.0.0.1:8080\"":                                                                        "transparent.listen: listen is the same",
		"listen = \"127.0.0.1:1\"\ndns_listen = \"127.0.0.1:1\"":                                             "transparent.dns_listen: transparent.listen is the same",
		"listen = \"127.0.0.1:1\"\nranges = [\"10.9.0.0/16\"]":                                               "transparent.ranges: dns_listen is missing",
		"listen = \"127.0.0.1:1\"\nclient = \"nobody\"":                                                      `transparent.client: no client named "nobody"`,
		"listen = \"0.0.0.0:1\"\nclient = \"agent\"":                                                         "transparent.client: listen is not a loopback address",
		"listen = \"0.0.0.0:1\"\ndns_listen = \"127.0.0.1:53\"\nranges = []":                                 "transparent.ranges: must not be empty",
		"listen = \"0.0.0.0:1\"\ndns_listen = \"127.0.0.1:53\"\nranges = [\"10.9.0.0/28\"]":                  "has too few addresses",
		"listen = \"0.0.0.0:1\"\ndns_listen = \"127.0.0.1:53\"\nranges = [\"10.9.0.0/16\", \"10.8.0.0/16\"]": "more than one network",
		"lisen = \"0.0.0.0:1\"":                                                                              "transparent.lisen: unknown key",
	} {
		_, errText := load(t, minimal+"[client.agent]\nsecret_hash = \"sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752\"\n[transparent]\n"+text, nil)
		if !strings.Contains(errText, want) {
			t.Errorf("%s: %s, want %s", text, errText, want)
		}
	}
}
