package config

import "testing"

func TestParseProxy(t *testing.T) {
	tests := []struct{ in, want, err string }{
		{"http://corp", "http://corp:80", ""},
		{"https://Corp/", "https://corp:443", ""},
		{"HTTP://me:pass@[::1]:3128", "http://me:pass@[::1]:3128", ""},
		{"corp:3128", "", "must be the URL of a proxy"},
		{"//corp", "", "the scheme must be http or https"},
		{"http://" + canary + "@", "", "must be the URL of a proxy"},
		{"http://" + canary + "@corp/path", "", "must end after the host and the port"},
		{"http://" + canary + "@corp:0", "", "the port must be a number from 1 to 65535"},
	}
	for _, test := range tests {
		u, err := ParseProxy(test.in)
		if err != nil {
			if err.Error() != test.err {
				t.Errorf("ParseProxy(%q): %v, want %q", test.in, err, test.err)
			}
			continue
		}
		if u.String() != test.want || test.err != "" {
			t.Errorf("ParseProxy(%q) = %v, want %q, %q", test.in, u, test.want, test.err)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for listen, want := range map[string]bool{
		"127.0.0.1:8080": true, "127.9.9.9:0": true, "[::1]:1": true, "LocalHost:1": true, "[::ffff:127.0.0.1]:1": true,
		"0.0.0.0:1": false, "[::]:1": false, ":1": false, "10.0.0.1:1": false, "localhost": false, "": false,
	} {
		if got := IsLoopback(listen); got != want {
			t.Errorf("IsLoopback(%q) = %v, want %v", listen, got, want)
		}
	}
}
