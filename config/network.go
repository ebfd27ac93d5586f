package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// IsLoopback reports whether only this machine can reach a listen address:
// its host is localhost or a loopback address.
func IsLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// ParseListen reads an address to listen on, and what is spoken there.
func ParseListen(s string) (address string, form Form, err error) {
	form = FormPlain
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		s, form = strings.TrimSuffix(rest, "/"), Form(strings.ToLower(scheme))
		if form != FormPlain && !form.HasTLS() {
			return s, FormPlain, withHint(`for example "https://0.0.0.0:8443", or "http+https://0.0.0.0:8080" for both forms on one port`,
				"clients speak http, https or http+https to a proxy, not %q", scheme)
		}
	}
	return s, form, checkListen(s)
}

// checkListen accepts an address and a port; other names than localhost are
// refused because they may have several addresses or change.
func checkListen(s string) error {
	const hint = `for example "127.0.0.1:8080", or "0.0.0.0:8080" for every interface`
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return withHint(hint, "must be an address and a port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return withHint(hint, "the port must be a number from 0 to 65535")
	}
	if _, err := netip.ParseAddr(host); err != nil && !strings.EqualFold(host, "localhost") {
		return withHint(hint, "the host must be an IP address or localhost")
	}
	return nil
}

// readUpstream reads the [upstream] table.
func readUpstream(t *table) Upstream {
	up := Upstream{
		ConnectTo: readConnectTo(t.table("connect_to", `for example { "api.github.com:443" = "127.0.0.1:9443" }`)),
		HTTP2:     t.boolean("http2", false),
	}
	if path, ok := t.file("ca_file"); ok {
		roots, err := readRoots(t.doc.reading, path)
		if err != nil {
			t.fault("ca_file", err)
		}
		t.warnPlace("ca_file", path) // whom credentials go to
		up.RootsPEM = roots
	}
	if s, ok := t.text("proxy"); ok {
		proxy, err := ParseProxy(s)
		if err != nil {
			t.fault("proxy", err)
		}
		up.Proxy = proxy
	}
	return up
}

func readConnectTo(t *table) map[string]string {
	targets := map[string]string{}
	for _, from := range t.freeNames() {
		key, err := normalHostPort(from)
		if err != nil {
			t.fault(from, withHint("as in curl's --connect-to, but both must be given", "the key %w", err))
		} else if _, twice := targets[key]; twice {
			t.fault(from, errors.New("the same host and port again, in different case"))
		}
		to, ok := t.text(from)
		if !ok {
			continue
		}
		target, err := normalHostPort(to)
		if err != nil {
			t.fault(from, withHint("as in curl's --connect-to, but both must be given", "the value %w", err))
		}
		targets[key] = target
	}
	return targets
}

// normalHostPort checks "host:port" and puts the host into lower case.
func normalHostPort(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || strings.ContainsAny(host, "/@ \t\r\n") {
		return "", errors.New("must be host:port")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", errors.New("must be host:port, with a number from 1 to 65535 as port")
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}

// ParseProxy reads the URL of another proxy, http or https, and adds the port.
// Its errors do not quote the URL, which may have a password.
func ParseProxy(s string) (*url.URL, error) {
	const hint = `for example "http://proxy.example.com:3128"`
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return nil, withHint(hint, "must be the URL of a proxy")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, withHint(hint, "the scheme must be http or https")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, withHint(hint, "must end after the host and the port")
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	host, err := normalHostPort(net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, withHint(hint, "the port must be a number from 1 to 65535")
	}
	return &url.URL{Scheme: u.Scheme, User: u.User, Host: host}, nil
}

// readRoots reads certificates in PEM and returns them without what may be
// between them.
func readRoots(reading *Reading, path string) ([]byte, error) {
	rest, err := reading.readFile(path, nil)
	if err != nil {
		return nil, pathError(path, "the certificates", err)
	}
	var roots []byte
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, withHint("it takes certificates in PEM and nothing else", "%s holds PEM of type %q", path, block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("%s: a certificate in it is damaged", path)
		}
		roots = append(roots, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
	}
	if roots == nil {
		return nil, withHint("it must begin with -----BEGIN CERTIFICATE-----", "%s holds no certificate in PEM", path)
	}
	return roots, nil
}
