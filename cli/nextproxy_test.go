package cli

import (
	"net"
	"net/url"
	"strings"
	"testing"

	"ghapp-proxy/config"
)

// The proxy of the environment is the way to GitHub, unless it is our own.
func TestNextProxy(t *testing.T) {
	listen := func(addr string) net.Addr {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		return tcp
	}
	const api, other, plain = "https://api.github.com/app", "https://example.org/", "http://example.org/"
	for _, test := range []struct {
		name       string
		configured string
		env        map[string]string
		own        string
		want       map[string]string // URL → "name host", "" for directly
	}{
		{"nothing", "", nil, "", map[string]string{api: "", plain: ""}},
		{"both", "", map[string]string{"HTTPS_PROXY": "http://corp:3128", "HTTP_PROXY": "http://plain:80"}, "",
			map[string]string{api: "HTTPS_PROXY corp:3128", plain: "HTTP_PROXY plain:80"}},
		{"https alone", "", map[string]string{"HTTPS_PROXY": "http://corp:3128"}, "", map[string]string{api: "HTTPS_PROXY corp:3128", plain: ""}},
		{"small letters first", "", map[string]string{"HTTPS_PROXY": "http://corp:3128", "https_proxy": "http://u:p@small"}, "",
			map[string]string{api: "https_proxy small:80"}},
		{"no scheme", "", map[string]string{"HTTPS_PROXY": "corp:3128"}, "", map[string]string{api: "HTTPS_PROXY corp:3128"}},
		{"exceptions", "", map[string]string{"HTTPS_PROXY": "http://corp:3128", "NO_PROXY": "localhost,.github.com"}, "",
			map[string]string{api: "", other: "HTTPS_PROXY corp:3128", "https://127.0.0.1/": ""}},
		{"none at all", "", map[string]string{"HTTPS_PROXY": "http://corp:3128", "no_proxy": "*"}, "", map[string]string{api: "", other: ""}},
		{"configured", "https://conf:1", map[string]string{"HTTPS_PROXY": "http://corp:3128", "NO_PROXY": "*"}, "",
			map[string]string{api: "upstream.proxy conf:1", plain: "upstream.proxy conf:1"}},
		{"configured beside what cannot be read", "https://conf:1", map[string]string{"HTTPS_PROXY": "socks5://corp:1080"}, "",
			map[string]string{api: "upstream.proxy conf:1"}},
		{"of run", "", map[string]string{"HTTPS_PROXY": "http://run:X@127.0.0.1:40000", "GHAPP_PROXY_ADDRESS": "127.0.0.1:40000"}, "", map[string]string{api: ""}},
		{"of env, without a port", "", map[string]string{"HTTPS_PROXY": "http://Proxy.example", "GHAPP_PROXY_ADDRESS": "Proxy.example"}, "", map[string]string{api: ""}},
		{"of run, without a password", "", map[string]string{"https_proxy": "http://127.0.0.1:40001", "GHAPP_PROXY_ADDRESS": "127.0.0.1:40000", "GHAPP_PROXY_URL_NO_AUTH": "http://127.0.0.1:40001"}, "",
			map[string]string{api: ""}},
		{"set after run", "", map[string]string{"HTTPS_PROXY": "http://corp:3128", "GHAPP_PROXY_ADDRESS": "127.0.0.1:40000"}, "", map[string]string{api: "HTTPS_PROXY corp:3128"}},
		{"itself", "", map[string]string{"HTTPS_PROXY": "http://127.0.0.1:8080"}, "127.0.0.1:8080", map[string]string{api: ""}},
		{"itself by name", "", map[string]string{"HTTPS_PROXY": "http://localhost:8080"}, "127.0.0.1:8080", map[string]string{api: ""}},
		{"itself everywhere", "", map[string]string{"HTTPS_PROXY": "http://127.0.0.1:8080"}, "0.0.0.0:8080", map[string]string{api: ""}},
		{"its neighbour", "", map[string]string{"HTTPS_PROXY": "http://127.0.0.1:3128"}, "127.0.0.1:8080", map[string]string{api: "HTTPS_PROXY 127.0.0.1:3128"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := &config.Config{}
			if test.configured != "" {
				u, err := url.Parse(test.configured)
				if err != nil {
					t.Fatal(err)
				}
				cfg.Upstream.Proxy = u
			}
			var own []net.Addr
			if test.own != "" {
				own = []net.Addr{listen("127.0.0.9:1"), listen(test.own)}
			}
			next, err := nextProxy(cfg, lookupOf(test.env), own)
			if err != nil {
				t.Fatal(err)
			}
			for target, want := range test.want {
				u, err := url.Parse(target)
				if err != nil {
					t.Fatal(err)
				}
				got := ""
				if next != nil {
					if n := next(u); n != nil {
						got = n.Name + " " + n.URL.Host
					}
				}
				if got != want {
					t.Errorf("%s is reached through %q, want %q", target, got, want)
				}
			}
		})
	}
}

// What cannot be used is said with the variable's name, and without its value,
// which may have a password.
func TestNextProxyFaults(t *testing.T) {
	for value, want := range map[string]string{
		"socks5://u:secret@corp:1080":      "HTTPS_PROXY: the scheme must be http or https",
		"http://u:secret@corp:99999":       "HTTPS_PROXY: the port must be",
		"http://u:secret@corp:3128/a/path": "HTTPS_PROXY: must end after the host and the port",
		"http://u:secret@":                 "HTTPS_PROXY: must be the URL of a proxy",
	} {
		_, err := nextProxy(&config.Config{}, lookupOf(map[string]string{"HTTPS_PROXY": value}), nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "upstream.proxy") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", value, err, want)
		}
	}
}
