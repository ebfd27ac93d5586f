package cli

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"ghapp-proxy/config"
	"ghapp-proxy/proxy"

	"golang.org/x/net/http/httpproxy"
)

const (
	// proxyMark names the address of the proxy that `run` or `env` has put into
	// an environment: a ghapp-proxy in it does not take that for a way to GitHub.
	proxyMark = "GHAPP_PROXY_ADDRESS"
	// openProxyEnv names the URL of the proxy that asks for no password.
	openProxyEnv = "GHAPP_PROXY_URL_NO_AUTH"
)

// nextProxy is the way to GitHub and beyond: upstream.proxy or, where that is
// not set, the proxy of the environment, as gh and git take it, unless it is one
// of this program's own. nil means directly.
func nextProxy(cfg *config.Config, env lookup, own []net.Addr) (func(*url.URL) *proxy.NextProxy, error) {
	if cfg.Upstream.Proxy != nil {
		next := &proxy.NextProxy{URL: cfg.Upstream.Proxy, Name: "upstream.proxy"}
		return func(*url.URL) *proxy.NextProxy { return next }, nil
	}
	secure, err := proxyIn(env, own, "https_proxy", "HTTPS_PROXY")
	if err != nil {
		return nil, err
	}
	plain, err := proxyIn(env, own, "http_proxy", "HTTP_PROXY")
	if err != nil {
		return nil, err
	}
	if secure == nil && plain == nil {
		return nil, nil
	}
	_, no := firstSet(env, "no_proxy", "NO_PROXY")
	byScheme := httpproxy.Config{NoProxy: no}
	if secure != nil {
		byScheme.HTTPSProxy = secure.URL.String()
	}
	if plain != nil {
		byScheme.HTTPProxy = plain.URL.String()
	}
	choose := byScheme.ProxyFunc()
	return func(target *url.URL) *proxy.NextProxy {
		switch chosen, err := choose(target); {
		case err != nil || chosen == nil: // there are only errors for CGI
			return nil
		case target.Scheme == "https":
			return secure
		default:
			return plain
		}
	}, nil
}

// proxyIn reads a proxy from the first of the variables that is set. It is nil
// where none is, or where it is one of this program's own.
func proxyIn(env lookup, own []net.Addr, names ...string) (*proxy.NextProxy, error) {
	name, value := firstSet(env, names...)
	if value == "" {
		return nil, nil
	}
	if !strings.Contains(value, "://") {
		value = "http://" + value // as curl and Go take it
	}
	address, err := config.ParseProxy(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; correct it, or set upstream.proxy, which comes before it; NO_PROXY='*' is for no proxy", name, err)
	}
	if isOwnProxy(address, env, own) {
		return nil, nil
	}
	return &proxy.NextProxy{URL: address, Name: name}, nil
}

// isOwnProxy reports whether a proxy is what `run` or `env` has put into the
// environment, or the one that listens on own.
func isOwnProxy(address *url.URL, env lookup, own []net.Addr) bool {
	mark, _ := env(proxyMark)
	open, _ := env(openProxyEnv)
	for _, text := range []string{"http://" + mark, "https://" + mark, open} {
		if ours, err := config.ParseProxy(text); err == nil && ours.Host == address.Host {
			return true
		}
	}
	to, err := netip.ParseAddr(address.Hostname())
	if err != nil && address.Hostname() == "localhost" {
		to = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	for _, addr := range own {
		tcp, ok := addr.(*net.TCPAddr)
		if ok && to.IsValid() && address.Port() == strconv.Itoa(tcp.Port) && proxy.Reaches(to.Unmap(), tcp.AddrPort().Addr().Unmap()) {
			return true
		}
	}
	return false
}

// firstSet is the first of the variables that is not empty.
func firstSet(env lookup, names ...string) (name, value string) {
	for _, name := range names {
		if value, _ := env(name); value != "" {
			return name, value
		}
	}
	return "", ""
}

// describeWay says by which way a host is reached.
func describeWay(cfg *config.Config, next func(*url.URL) *proxy.NextProxy, host string) string {
	at := net.JoinHostPort(host, "443")
	if to, ok := cfg.Upstream.ConnectTo[at]; ok {
		return "at " + to + " (upstream.connect_to)"
	}
	if next != nil {
		if through := next(&url.URL{Scheme: "https", Host: at}); through != nil {
			return "through the proxy " + through.URL.Host + " (" + through.Name + ")"
		}
	}
	return "directly"
}

// describeNext says which proxy is on the way to GitHub's API.
func describeNext(cfg *config.Config, next func(*url.URL) *proxy.NextProxy) string {
	const none = "none"
	if next == nil || len(cfg.Apps) == 0 {
		return none
	}
	if through := next(cfg.Apps[0].API); through != nil {
		return through.URL.Host + " (" + through.Name + ")"
	}
	return none
}
