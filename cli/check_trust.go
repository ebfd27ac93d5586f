package cli

import (
	"crypto/x509"
	"net/url"
	"os/exec"
	"slices"
	"strings"

	"ghapp-proxy/certs"
	"ghapp-proxy/files"

	"software.sslmate.com/src/go-pkcs12"
)

// tool is a program that looks at certificates.
type tool struct {
	name string
	// reads are the variables that name a file of whom it trusts; of those that are
	// set the first counts.
	reads []string
	// system says that without any it trusts whom the system does.
	system bool
}

// trustingTools are those that are looked for: see bundleEnv and docs/tools.md.
var trustingTools = []tool{
	{"bundle", []string{"BUNDLE_SSL_CA_CERT", "SSL_CERT_FILE"}, true},
	{"cargo", []string{"CARGO_HTTP_CAINFO", "SSL_CERT_FILE"}, true},
	{"composer", []string{"COMPOSER_CAFILE", "SSL_CERT_FILE"}, true},
	{"curl", []string{"CURL_CA_BUNDLE", "SSL_CERT_FILE"}, true},
	{"deno", []string{"DENO_CERT"}, false},
	{"gh", []string{"SSL_CERT_FILE"}, true},
	{"git", []string{"GIT_SSL_CAINFO"}, true},
	{"go", []string{"SSL_CERT_FILE"}, true},
	{"hub", []string{"SSL_CERT_FILE"}, true},
	{"java", nil, false}, // see javaTrusts
	{"node", []string{"NODE_EXTRA_CA_CERTS"}, false},
	{"npm", []string{"npm_config_cafile", "NODE_EXTRA_CA_CERTS"}, false},
	{"pip", []string{"PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}, false},
	{"python3", []string{"SSL_CERT_FILE"}, true},
	{"ruby", []string{"SSL_CERT_FILE"}, true},
	{"wget", nil, true},
}

// checkTrust says which of the tools that are found trust the CAs in this environment.
// None is run.
func (x *examination) checkTrust(roots []*x509.Certificate) (list []finding) {
	var trusting, others []string
	for _, t := range trustingTools {
		if _, err := exec.LookPath(t.name); err != nil {
			continue
		}
		if x.trusts(t, roots) {
			trusting = append(trusting, t.name)
		} else {
			others = append(others, t.name)
		}
	}
	if trusting != nil {
		list = append(list, good("ca", "trusted in this environment by %s", strings.Join(trusting, ", ")))
	}
	if others == nil {
		return list
	}
	const remedy = `eval "$(ghapp-proxy env)" makes tools of this shell trust it; under "ghapp-proxy run" they do anyway`
	names := strings.Join(others, ", ")
	if x.usesProxy() {
		return append(list, dubious(remedy, "ca", "not trusted in this environment, which uses the proxy, by %s", names))
	}
	return append(list, good("ca", "not trusted in this environment, which does not use the proxy, by %s", names))
}

// usesProxy reports whether the environment leads tools to the proxy that is checked.
func (x *examination) usesProxy() bool {
	if mark, _ := x.env(proxyMark); mark != "" {
		return true
	}
	_, value := firstSet(x.env, "https_proxy", "HTTPS_PROXY")
	u, err := url.Parse(value)
	return err == nil && u.Host == x.cfg.Listen
}

// trusts reports whether a tool trusts all of the roots.
func (x *examination) trusts(t tool, roots []*x509.Certificate) bool {
	if t.name == "java" {
		return x.javaTrusts(roots)
	}
	if t.name == "wget" {
		if path, _ := x.env("WGETRC"); path != "" {
			return has(rootsOfWget(path), roots)
		}
	}
	switch name, path := firstSet(x.env, t.reads...); {
	case name != "":
		text, err := rootsIn(path).Bundle()
		return err == nil && has(parseCertificates(text), roots)
	case t.system:
		return systemTrusts(roots)
	}
	return false
}

// systemTrusts reports whether the system trusts the roots, whatever the environment
// says.
func systemTrusts(roots []*x509.Certificate) bool {
	text, err := certs.SystemRoots{}.Bundle()
	if err == nil {
		return has(parseCertificates(text), roots)
	}
	return !slices.ContainsFunc(roots, func(root *x509.Certificate) bool { // as on macOS and Windows
		_, err := root.Verify(x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		return err != nil
	})
}

// rootsOfWget are whom a startup file of wget has it trust.
func rootsOfWget(path string) []*x509.Certificate {
	text, _, err := files.Read(path, 1<<20)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, "=")
		if strings.EqualFold(strings.NewReplacer("-", "", "_", "").Replace(strings.TrimSpace(name)), "cacertificate") {
			bundle, err := rootsIn(strings.TrimSpace(value)).Bundle()
			if err != nil {
				return nil
			}
			return parseCertificates(bundle)
		}
	}
	return nil
}

// javaTrusts reports whether the trust store that Java is told of has the roots.
func (x *examination) javaTrusts(roots []*x509.Certificate) bool {
	const option = "-Djavax.net.ssl.trustStore="
	all, _ := x.env("JAVA_TOOL_OPTIONS")
	_, rest, found := strings.Cut(all, option)
	if !found {
		return false
	}
	path, _, _ := strings.Cut(rest, " -")
	store, _, err := files.Read(strings.Trim(strings.TrimSpace(path), `"'`), 16<<20)
	if err != nil {
		return false
	}
	trusted, err := pkcs12.DecodeTrustStore(store, trustStorePassword)
	return err == nil && has(trusted, roots)
}

// has reports whether all of some certificates are among others.
func has(among, all []*x509.Certificate) bool {
	return !slices.ContainsFunc(all, func(root *x509.Certificate) bool { return !slices.ContainsFunc(among, root.Equal) })
}
