package cli

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/auth"
	"ghapp-proxy/config"
	"ghapp-proxy/github"
)

// lookupOf is a lookup in a map.
func lookupOf(values map[string]string) lookup {
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

func TestVariables(t *testing.T) {
	for _, tt := range []struct {
		name string
		own  map[string]string
		want map[string]string
	}{
		{"nothing set before", nil, map[string]string{
			"HTTPS_PROXY": "http://run:pw@127.0.0.1:1", "https_proxy": "http://run:pw@127.0.0.1:1", "HTTP_PROXY": "http://run:pw@127.0.0.1:1",
			"all_proxy": "http://run:pw@127.0.0.1:1", "npm_config_https_proxy": "http://run:pw@127.0.0.1:1", "PIP_PROXY": "http://run:pw@127.0.0.1:1",
			"NO_PROXY": "localhost,127.0.0.1", "no_proxy": "localhost,127.0.0.1",
			"SSL_CERT_FILE": "/t/bundle.pem", "GIT_SSL_CAINFO": "/t/bundle.pem", "npm_config_cafile": "/t/bundle.pem", "COMPOSER_CAFILE": "/t/bundle.pem",
			"REQUESTS_CA_BUNDLE": "/t/own.pem", "NODE_EXTRA_CA_CERTS": "/t/ca.pem", "DENO_CERT": "/t/ca.pem", "WGETRC": "/t/wgetrc",
			"NODE_USE_ENV_PROXY": "1", "NODE_OPTIONS": `--require "/t/node-proxy.cjs"`,
			"GH_TOKEN": placeholder, "GITHUB_TOKEN": placeholder, "GH_ENTERPRISE_TOKEN": placeholder, "GITHUB_USER": placeholderUser,
			"GIT_HTTP_PROXY_AUTHMETHOD": "basic", "GIT_TERMINAL_PROMPT": "0", "GHAPP_PROXY_URL_NO_AUTH": "http://127.0.0.1:2",
			"JAVA_TOOL_OPTIONS": "-Djavax.net.ssl.trustStore=/t/truststore.p12 -Djavax.net.ssl.trustStoreType=PKCS12 -Djavax.net.ssl.trustStorePassword=changeit " +
				"-Dhttp.nonProxyHosts=localhost|127.*|[::1] -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=2 -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=2",
		}},
		{"what does no harm stays", map[string]string{
			"GITHUB_USER": "octocat", "GIT_TERMINAL_PROMPT": "1", "NODE_OPTIONS": "--no-warnings", "JAVA_TOOL_OPTIONS": "-Xmx1g", "NO_PROXY": "x.example,github.com",
		}, map[string]string{
			"GITHUB_USER": "octocat", "GIT_TERMINAL_PROMPT": "1", "NODE_OPTIONS": `--no-warnings --require "/t/node-proxy.cjs"`,
			"NO_PROXY": "x.example,localhost,127.0.0.1", "no_proxy": "x.example,localhost,127.0.0.1",
		}},
		{"each case has its own exceptions", map[string]string{"NO_PROXY": "a", "no_proxy": "b"}, map[string]string{
			"NO_PROXY": "a,localhost,127.0.0.1", "no_proxy": "b,localhost,127.0.0.1",
		}},
		{"git is run, unless the user wants it otherwise", map[string]string{"CARGO_NET_GIT_FETCH_WITH_CLI": "false"}, map[string]string{
			"CARGO_NET_GIT_FETCH_WITH_CLI": "false", "POETRY_SYSTEM_GIT_CLIENT": "true", "POETRY_EXPERIMENTAL_SYSTEM_GIT_CLIENT": "true",
		}},
		{"what would lead past the proxy goes", map[string]string{"HTTPS_PROXY": "http://other:1", "NODE_USE_ENV_PROXY": "0", "GH_TOKEN": "x"}, map[string]string{
			"HTTPS_PROXY": "http://run:pw@127.0.0.1:1", "NODE_USE_ENV_PROXY": "1", "GH_TOKEN": placeholder,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := testEnvironment()
			env.trust.own = map[string]string{"REQUESTS_CA_BUNDLE": "own.pem"}
			got := make(map[string]string)
			for _, v := range env.variables(lookupOf(tt.own)) {
				if _, twice := got[v.name]; twice {
					t.Errorf("%s is set twice", v.name)
				}
				got[v.name] = v.value
			}
			for name, want := range tt.want {
				if got[name] != want {
					t.Errorf("%s = %q, want %q", name, got[name], want)
				}
			}
		})
	}
}

func testEnvironment() *environment {
	return &environment{
		proxy:  &url.URL{Scheme: "http", User: url.UserPassword("run", "pw"), Host: "127.0.0.1:1"},
		open:   &url.URL{Scheme: "http", Host: "127.0.0.1:2"},
		served: []github.Instance{github.GitHubCom, "octo.ghe.com"},
		trust:  trust{dir: "/t"},
		git:    true,
	}
}

// Without an address that asks for no password there is nothing for Java.
func TestVariablesWithoutOpenProxy(t *testing.T) {
	env := testEnvironment()
	env.open, env.served = nil, env.served[:1]
	for _, v := range env.variables(lookupOf(nil)) {
		if v.name == "JAVA_TOOL_OPTIONS" || v.name == "GHAPP_PROXY_URL_NO_AUTH" || v.name == "GH_ENTERPRISE_TOKEN" {
			t.Errorf("%s = %q is set", v.name, v.value)
		}
	}
}

// A tool is not told to run git where there may be none.
func TestVariablesWithoutGit(t *testing.T) {
	env := testEnvironment()
	env.git = false
	for _, v := range env.variables(lookupOf(nil)) {
		if slices.Contains(gitInstead, v.name) {
			t.Errorf("%s = %q is set", v.name, v.value)
		}
	}
}

// A second `env` in the same shell changes nothing.
func TestVariablesTwice(t *testing.T) {
	env := testEnvironment()
	first := env.variables(lookupOf(map[string]string{
		"NODE_OPTIONS": "--x", "JAVA_TOOL_OPTIONS": "-Dy", "NO_PROXY": "z", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": "c",
	}))
	set := make(map[string]string)
	for _, v := range first {
		set[v.name] = v.value
	}
	if second := env.variables(lookupOf(set)); !slices.Equal(first, second) {
		t.Errorf("the second time\n%q\nwant\n%q", second, first)
	}
}

// git itself reads what is set, behind what was there.
func TestGitConfig(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	for count, first := range map[string]string{"": "0", "nonsense": "0", "-1": "0", "1": "1"} {
		own := map[string]string{"GIT_CONFIG_COUNT": count, "GIT_CONFIG_KEY_0": "http.proxy", "GIT_CONFIG_VALUE_0": ""}
		var environ []string
		for name, value := range own {
			environ = append(environ, name+"="+value)
		}
		environ, _ = override(environ, testEnvironment().gitConfig(lookupOf(own)))
		if !slices.Contains(environ, "GIT_CONFIG_KEY_"+first+"=http.proxy") {
			t.Errorf("with GIT_CONFIG_COUNT=%q: %q, want the first entry at %s", count, environ, first)
		}
		git := func(args ...string) string {
			cmd := exec.Command("git", args...)
			cmd.Dir, cmd.Env = t.TempDir(), append(environ, "GIT_CONFIG_NOSYSTEM=1", "HOME="+t.TempDir())
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("git %q: %v: %s", args, err, out)
			}
			return strings.TrimSpace(string(out))
		}
		for _, key := range []string{"http.proxy", "http.https://github.com/.proxy", "http.https://octo.ghe.com/.proxy"} {
			if got := git("config", key); got != "http://run:pw@127.0.0.1:1" {
				t.Errorf("with GIT_CONFIG_COUNT=%q: %s = %q", count, key, got)
			}
		}
		for remote, want := range map[string]string{
			"git@github.com:a/b.git":               "https://github.com/a/b.git",
			"git@github.com:/a/b.git":              "https://github.com/a/b.git",
			"ssh://git@github.com/a/b":             "https://github.com/a/b",
			"ssh://git@github.com:22/a/b":          "https://github.com/a/b",
			"ssh://github.com/a/b":                 "https://github.com/a/b",
			"git+ssh://git@github.com/a/b.git":     "https://github.com/a/b.git",
			"ssh+git://git@github.com/a/b.git":     "https://github.com/a/b.git",
			"git://github.com/a/b.git":             "https://github.com/a/b.git",
			"ssh://git@ssh.github.com:443/a/b.git": "https://github.com/a/b.git",
			"octo@octo.ghe.com:a/b.git":            "https://octo.ghe.com/a/b.git",
			"git@octo.ghe.com:a/b.git":             "https://octo.ghe.com/a/b.git",
			"octo@octo.ghe.com:/a/b.git":           "https://octo.ghe.com/a/b.git",
			"ssh://octo@octo.ghe.com:22/a/b.git":   "https://octo.ghe.com/a/b.git",
			"ssh://git@github.com:2222/a/b":        "ssh://git@github.com:2222/a/b",
			"ssh://github.com.example/a/b":         "ssh://github.com.example/a/b",
			"git@example.com:a/b.git":              "git@example.com:a/b.git",
		} {
			if got := git("ls-remote", "--get-url", remote); got != want {
				t.Errorf("git reads %s as %s, want %s", remote, got, want)
			}
		}
	}
}

func TestJavaNonProxyHosts(t *testing.T) {
	for in, want := range map[string]string{
		"":                                       "localhost|127.*|[::1]",
		"localhost,127.0.0.1":                    "localhost|127.*|[::1]",
		"x.example,.y.example,*.z.example:8443":  "localhost|127.*|[::1]|x.example|*.x.example|*.y.example|*.z.example",
		"10.0.0.1,10.0.0.0/8,a|b,192.0.2.1:8080": "localhost|127.*|[::1]|10.0.0.1|192.0.2.1",
	} {
		if got := javaNonProxyHosts(in); got != want {
			t.Errorf("javaNonProxyHosts(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestJavaQuote(t *testing.T) {
	for in, want := range map[string]string{
		"-Dx=/a/b": "-Dx=/a/b", "-Dx=/a b": `"-Dx=/a b"`, `-Dx=it's`: `"-Dx=it's"`, `-Dx=a"b`: `"-Dx=a"'"'"b"`,
	} {
		if got := javaQuote(in); got != want {
			t.Errorf("javaQuote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestNoProxy(t *testing.T) {
	env := environment{served: []github.Instance{github.GitHubCom, "ghe.example.com"}}
	for in, want := range map[string]string{
		"":                              "localhost,127.0.0.1",
		"127.0.0.1,localhost,.internal": "127.0.0.1,localhost,.internal",
		"*":                             "localhost,127.0.0.1",
		"github.com":                    "localhost,127.0.0.1",
		".github.com, x.example":        "x.example,localhost,127.0.0.1",
		"*.github.com":                  "localhost,127.0.0.1",
		"API.GitHub.com:443 b":          "b,localhost,127.0.0.1",
		"com":                           "localhost,127.0.0.1", // a suffix of all
		"githubusercontent.com,hub.com": "hub.com,localhost,127.0.0.1",
		"example.com":                   "localhost,127.0.0.1", // of ghe.example.com
		"objects.githubusercontent.com": "objects.githubusercontent.com,localhost,127.0.0.1",
	} {
		if got := env.noProxy(in); got != want {
			t.Errorf("noProxy(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestHoldsSecret(t *testing.T) {
	for value, want := range map[string]bool{
		"ghp_0123456789012345678901234567890123456789":                                           true,
		"x-github_pat_0123456789012345678901":                                                    true,
		"https://x:ghs_1234_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2ln-_AAA@github.com":           true,
		"-----BEGIN RSA PRIVATE KEY-----":                                                        true,
		"LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCg==":                                               true,
		"Basic eC1hY2Nlc3MtdG9rZW46Z2hwXzAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODk=": true,
		"ghs_placeholder": false,
		"":                false,
		"/usr/local/sbin:/usr/local/bin:/usr/bin": false,
		"-----BEGIN CERTIFICATE-----":             false,
	} {
		if got := holdsSecret(value); got != want {
			t.Errorf("holdsSecret(%q) = %v, want %v", value, got, want)
		}
	}
}

func TestWithholdAndOverride(t *testing.T) {
	kept, withheld := withhold([]string{
		"A=1", "KEY=x", "HTTPS_PROXY=old", "SAME=s", "GH_PAT=short", "NODE_OPTIONS=--x",
		"GIT_CONFIG_VALUE_0=ghp_0123456789012345678901234567890123456789",
	}, []string{"KEY"}, nil)
	if want := []string{"KEY", "GH_PAT", "GIT_CONFIG_VALUE_0"}; !slices.Equal(withheld, want) {
		t.Errorf("withheld %q, want %q", withheld, want)
	}
	env, overridden := override(kept, []variable{{"HTTPS_PROXY", "new"}, {"SAME", "s"}, {"NODE_OPTIONS", "--x --y"}})
	if want := []string{"A=1", "GIT_CONFIG_VALUE_0=", "HTTPS_PROXY=new", "SAME=s", "NODE_OPTIONS=--x --y"}; !slices.Equal(env, want) {
		t.Errorf("environment %q, want %q", env, want)
	}
	if want := []string{"HTTPS_PROXY"}; !slices.Equal(overridden, want) {
		t.Errorf("overridden %q, want %q", overridden, want)
	}
}

// TestMadeUpKey: with exchange, a program gets the key that was made up for it,
// and none of the Apps'.
func TestMadeUpKey(t *testing.T) {
	newKey := func() (key *rsa.PrivateKey, text string) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		return key, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	}
	own, ownText := newKey()
	_, madeUp := newKey()
	cfg := &config.Config{Live: config.Live{Apps: []*auth.App{{Name: "ci-bot", Signers: []auth.Signer{auth.NewKey(own)}}}}}
	inherited := []string{"PRIVATE_KEY=" + madeUp, "APP_KEY=" + strings.ReplaceAll(ownText, "\n", `\n`), "KEY=" + base64.StdEncoding.EncodeToString([]byte(madeUp+ownText))}
	secretEnv := []string{"PRIVATE_KEY"}

	if env, _ := withhold(inherited, secretEnv, madeUpKey(cfg)); len(env) != 0 {
		t.Errorf("without exchange %d keys are left", len(env))
	}
	cfg.Exchange = config.ExchangePlaceholder
	env, withheld := withhold(inherited, secretEnv, madeUpKey(cfg))
	if len(env) != 1 || env[0] != inherited[0] || !slices.Equal(withheld, []string{"APP_KEY", "KEY"}) {
		t.Errorf("%d variables are left, and withheld are %q, want APP_KEY and KEY", len(env), withheld)
	}
}
