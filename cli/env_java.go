package cli

import (
	"cmp"
	"net"
	"net/url"
	"strings"
)

// javaVariables make Java use the proxy: it reads no other variable. It never
// sends a password to a proxy for https, so there must be one that asks for none.
func (e *environment) javaVariables(has lookup) []variable {
	if e.open == nil {
		return nil
	}
	own, _ := has("JAVA_TOOL_OPTIONS")
	upper, _ := has("NO_PROXY")
	lower, _ := has("no_proxy")
	// docs.oracle.com, "Networking Properties"; the last of two -D counts.
	options := []string{
		"-Djavax.net.ssl.trustStore=" + e.trust.path(trustStoreFile),
		"-Djavax.net.ssl.trustStoreType=PKCS12",
		"-Djavax.net.ssl.trustStorePassword=" + trustStorePassword,
		"-Dhttp.nonProxyHosts=" + javaNonProxyHosts(e.noProxy(cmp.Or(upper, lower))), // for https too
	}
	for _, scheme := range []string{"http", "https"} {
		options = append(options,
			"-D"+scheme+".proxyHost="+e.open.Hostname(),
			"-D"+scheme+".proxyPort="+portOf(e.open))
	}
	for i, option := range options {
		options[i] = javaQuote(option)
	}
	return []variable{{"JAVA_TOOL_OPTIONS", appended(own, strings.Join(options, " "))}}
}

// javaNonProxyHosts is a NO_PROXY in Java's form, with what is Java's default.
func javaNonProxyHosts(noProxy string) string {
	hosts := []string{"localhost", "127.*", "[::1]"}
	for entry := range strings.SplitSeq(noProxy, ",") {
		if host, _, err := net.SplitHostPort(entry); err == nil {
			entry = host
		}
		name := strings.TrimLeft(entry, "*.")
		if name == "" || name == "localhost" || name == "127.0.0.1" || strings.ContainsAny(name, "|/:") {
			continue // it has neither networks nor ports
		}
		if net.ParseIP(name) != nil || name == entry {
			hosts = append(hosts, name)
		}
		if net.ParseIP(name) == nil {
			hosts = append(hosts, "*."+name)
		}
	}
	return strings.Join(hosts, "|")
}

// javaQuote quotes a word of JAVA_TOOL_OPTIONS: quotes of both kinds hold
// spaces together and nothing escapes (JVM Tool Interface, "The
// JAVA_TOOL_OPTIONS Environment Variable").
func javaQuote(word string) string {
	if !strings.ContainsAny(word, " \t\n\r'\"") {
		return word
	}
	return `"` + strings.ReplaceAll(word, `"`, `"'"'"`) + `"`
}

func portOf(u *url.URL) string {
	return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}
