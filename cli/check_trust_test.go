package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ghapp-proxy/config"
)

// TestTrusts: a tool trusts whom the first variable names that it reads, and all of the
// CAs have to be there.
func TestTrusts(t *testing.T) {
	dir := t.TempDir()
	ours, second, stranger := testCA(t), testCA(t), testCA(t)
	both := append(append([]byte{}, ours...), second...)
	store, err := javaTrustStore(both)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, text []byte) string { return writeFile(t, filepath.Join(dir, name), text) }
	all, one, none, java := file("all.pem", append(both, stranger...)), file("one.pem", ours), file("none.pem", stranger), file("store p12", store)
	wgetrc := file("wgetrc", []byte("# mine\nCA-Certificate = "+all+"\n"))
	byName := map[string]tool{}
	for _, tl := range trustingTools {
		byName[tl.name] = tl
	}
	roots := parseCertificates(both)
	for _, test := range []struct {
		tool string
		env  map[string]string
		want bool
	}{
		{"curl", map[string]string{"CURL_CA_BUNDLE": all}, true},
		{"curl", map[string]string{"SSL_CERT_FILE": all}, true},
		{"curl", map[string]string{"CURL_CA_BUNDLE": none, "SSL_CERT_FILE": all}, false},
		{"curl", map[string]string{"CURL_CA_BUNDLE": one}, false},
		{"curl", map[string]string{"CURL_CA_BUNDLE": dir + "/missing.pem"}, false},
		{"curl", nil, false}, // the system does not
		{"git", map[string]string{"SSL_CERT_FILE": all}, false},
		{"git", map[string]string{"GIT_SSL_CAINFO": all}, true},
		{"node", map[string]string{"NODE_EXTRA_CA_CERTS": all}, true},
		{"node", map[string]string{"SSL_CERT_FILE": all}, false},
		{"wget", map[string]string{"WGETRC": wgetrc}, true},
		{"wget", map[string]string{"WGETRC": dir + "/missing"}, false},
		{"java", map[string]string{"JAVA_TOOL_OPTIONS": `-Da=b "-Djavax.net.ssl.trustStore=` + java + `" -Djavax.net.ssl.trustStoreType=PKCS12`}, true},
		{"java", map[string]string{"JAVA_TOOL_OPTIONS": "-Djavax.net.ssl.trustStore=" + one}, false},
		{"java", map[string]string{"SSL_CERT_FILE": all}, false},
	} {
		x := &examination{env: lookupOf(test.env)}
		if got := x.trusts(byName[test.tool], roots); got != test.want {
			t.Errorf("%s with %v trusts: %v, want %v", test.tool, test.env, got, test.want)
		}
	}
}

// TestCheckTrust: only where the environment uses the proxy is it worth a word that
// tools do not trust it.
func TestCheckTrust(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	roots := parseCertificates(testCA(t))
	if found := (&examination{cfg: &config.Config{}, env: lookupOf(nil)}).checkTrust(roots); found != nil {
		t.Errorf("no tool is found: %v", found)
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if err := os.WriteFile(filepath.Join(dir, "git"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		env  map[string]string
		want state
	}{
		{nil, stateOK},
		{map[string]string{"HTTPS_PROXY": "http://a:b@127.0.0.1:8080"}, stateWarning},
		{map[string]string{"HTTPS_PROXY": "http://proxy.example.com:8080"}, stateOK},
		{map[string]string{proxyMark: "127.0.0.1:1"}, stateWarning},
	} {
		found := (&examination{cfg: &config.Config{Fixed: config.Fixed{Listen: "127.0.0.1:8080"}}, env: lookupOf(test.env)}).checkTrust(roots)
		if len(found) != 1 || found[0].State != test.want || !strings.HasSuffix(found[0].Text, "by git") {
			t.Errorf("%v: %v, want %s", test.env, found, test.want)
		}
	}
}
