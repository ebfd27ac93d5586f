package config

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testFaults loads each text and compares the error exactly.
func testFaults(t *testing.T, tests []faultTest) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, got := load(t, test.text, test.env)
			got = strings.ReplaceAll(got, "DIR/config.toml", "config.toml")
			want := strings.Join(test.want, "\n")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

type faultTest struct {
	name string
	text string
	env  map[string]string
	want []string // lines
}

func TestFaults(t *testing.T) {
	testFaults(t, []faultTest{
		{name: "all at once, in file order", text: `listen = 8080
plain_http = "yes"
fallbck = "refuse"

[app.bot]
id = 0
private_key_fil = "app.pem"

[upstream]
http2 = 1
`, want: []string{
			"config.toml:1: listen: must be a string, not an integer",
			"	hint: put it in quotes",
			"config.toml:2: plain_http: must be true or false, not a string",
			"	hint: write it without quotes",
			"config.toml:3: fallbck: unknown key",
			`	hint: did you mean "fallback"?`,
			"config.toml:5: app.bot: the private key is missing",
			"	hint: give private_key_file, private_key_env, private_key_command or signer_command",
			"config.toml:6: app.bot.id: must be positive",
			"config.toml:7: app.bot.private_key_fil: unknown key",
			`	hint: did you mean "private_key_file"?`,
			"config.toml:10: upstream.http2: must be true or false, not an integer",
		}},
		{name: "no App", text: "listen = \"[::1]:1\"\n", want: []string{
			"config.toml: no GitHub App is configured",
			"	hint: the smallest file is",
			"		[app.my-app]",
			"		id = 12345",
			`		private_key_file = "my-app.pem"`,
			"	without any file, set GITHUB_APP_ID (or GITHUB_APP_CLIENT_ID), and",
			"	GITHUB_APP_PRIVATE_KEY_PATH (a file) or GITHUB_APP_PRIVATE_KEY (its text);",
			"	a file that exists is all that counts: these variables are not read then",
		}},
		{name: "App without a name", text: "[app]\nid = 1\n", want: []string{
			"config.toml:2: app.id: must be a table, not an integer",
			"	hint: every App has a name of your choice: [app.NAME]",
		}},
		{name: "app as a list", text: "[[app]]\nid = 1\n", want: []string{
			"config.toml:1: app: must be a table, not an array of tables",
			"	hint: every App has a name of your choice: [app.NAME]",
		}},
		{name: "key below the header", text: minimal + "allow_anonymous = true\nca_file = \"x\"\npaths = 1\n[[rule]]\ndeny = \"x\"\na = 1\n[[rule]]\ndeny = \"x\"\na = 2\n", want: []string{
			"config.toml:4: app.bot.allow_anonymous: unknown key",
			"	hint: allow_anonymous is a key of the top level: move it above the first [table]",
			"config.toml:5: app.bot.ca_file: unknown key",
			"	hint: ca_file belongs in [upstream]",
			"config.toml:6: app.bot.paths: unknown key",
			"	hint: paths belongs in [[rule]]",
			"config.toml:9: rule[1].a: unknown key",
			"config.toml:12: rule[2].a: unknown key",
		}},
		{name: "dotted and inline", text: "app.bot.id = -1\napp.bot.private_key_file = \"app.pem\"\nupstream = { http2 = 3,\n connect_to = { a = \"b\",\n \"b:1\" = 2 } }\nca.nam = 1\n", want: []string{
			"config.toml:1: app.bot.id: must be positive",
			"config.toml:3: upstream.http2: must be true or false, not an integer",
			"config.toml:4: upstream.connect_to.a: the key must be host:port",
			"	hint: as in curl's --connect-to, but both must be given",
			"config.toml:4: upstream.connect_to.a: the value must be host:port",
			"	hint: as in curl's --connect-to, but both must be given",
			`config.toml:5: upstream.connect_to."b:1": must be a string, not an integer`,
			"	hint: put it in quotes",
			"config.toml:6: ca.nam: unknown key",
			`	hint: did you mean "name_constraints"?`,
		}},
		{name: "listen", text: "listen = \"example.com:80\"\n" + minimal, want: []string{
			"config.toml:1: listen: the host must be an IP address or localhost",
			`	hint: for example "127.0.0.1:8080", or "0.0.0.0:8080" for every interface`,
		}},
		{name: "listen port", text: "listen = \"127.0.0.1:http\"\nstate_dir = \"\"\nfallback = \"no\"\n" + minimal, want: []string{
			"config.toml:1: listen: the port must be a number from 0 to 65535",
			`	hint: for example "127.0.0.1:8080", or "0.0.0.0:8080" for every interface`,
			"config.toml:2: state_dir: must not be empty",
			"	hint: leave the key out if it is not needed",
			`config.toml:3: fallback: "no" is none of default, anonymous, refuse`,
		}},
		{name: "exchange", text: "exchange = \"token\"\n" + minimal, want: []string{
			`config.toml:1: exchange: "token" is not "placeholder"`,
			"	hint: leave the key out to have such requests refused",
		}},
		{name: "types", text: "listen = 1.5\nstate_dir = []\nfallback = 2020-01-01\nallow_anonymous = {}\njwt_writes = [[]]\n" + minimal, want: []string{
			"config.toml:1: listen: must be a string, not a number with a fraction",
			"	hint: put it in quotes",
			"config.toml:2: state_dir: must be a string, not an array",
			"config.toml:3: fallback: must be a string, not a date or time",
			"	hint: put it in quotes",
			"config.toml:4: allow_anonymous: must be true or false, not a table",
			"config.toml:5: jwt_writes: must be true or false, not an array",
		}},
		{name: "ca without a key", text: minimal + "[ca]\ncert_file = \"k\"\n", want: []string{
			"config.toml:5: ca.cert_file: key_file is missing",
			"	hint: give both, or neither to have a CA made",
		}},
		{name: "ca", text: minimal + "[ca]\nkey_file = \"k\"\n", want: []string{
			"config.toml:5: ca.key_file: cert_file is missing",
			"	hint: give both, or neither to have a CA made",
		}},
		{name: "proxy", text: minimal + "[upstream]\nproxy = \"socks5://me:" + canary + "@corp:1\"\nca_file = \"app.pem\"\n", want: []string{
			"config.toml:5: upstream.proxy: the scheme must be http or https",
			`	hint: for example "http://proxy.example.com:3128"`,
			`config.toml:6: upstream.ca_file: DIR/app.pem holds PEM of type "RSA PRIVATE KEY"`,
			"	hint: it takes certificates in PEM and nothing else",
		}},
		{name: "proxy that does not parse", text: minimal + "[upstream]\nproxy = \"http://me:" + canary + "%zz@corp:port\"\nca_file = \"config.toml\"\n", want: []string{
			"config.toml:5: upstream.proxy: must be the URL of a proxy",
			`	hint: for example "http://proxy.example.com:3128"`,
			"config.toml:6: upstream.ca_file: config.toml holds no certificate in PEM",
			"	hint: it must begin with -----BEGIN CERTIFICATE-----",
		}},
		{name: "connect_to twice", text: minimal + "[upstream.connect_to]\n\"a:1\" = \"b:1\"\n\"A:01\" = \"b:99999\"\n", want: []string{
			`config.toml:6: upstream.connect_to."A:01": the same host and port again, in different case`,
			`config.toml:6: upstream.connect_to."A:01": the value must be host:port, with a number from 1 to 65535 as port`,
			"	hint: as in curl's --connect-to, but both must be given",
		}},
	})
}

func TestAppFaults(t *testing.T) {
	testFaults(t, []faultTest{
		{name: "identity", text: "[app.\"a b\"]\nprivate_key_file = \"app.pem\"\nhost = \"https://ghe.example.com\"\n[app.c]\nclient_id = \"12345\"\nprivate_key_file = \"app.pem\"\n[app.d]\nclient_id = \"Iv 1\"\nprivate_key_file = \"app.pem\"\n", want: []string{
			`config.toml:1: app."a b": not a name for an App`,
			"	hint: letters, digits and . _ - are allowed",
			`config.toml:1: app."a b": id or client_id is missing`,
			"	hint: both are on the App's settings page: id = 12345, or client_id = \"Iv23…\"",
			`config.toml:3: app."a b".host: "https://ghe.example.com" is not a host name: leave out the scheme and the path`,
			"config.toml:5: app.c.client_id: not a client id",
			"	hint: the App id, a number, goes into id",
			"config.toml:8: app.d.client_id: not a client id",
			"	hint: it is on the App's settings page and begins with Iv",
		}},
		{name: "the same App twice", text: minimal + "client_id = \"Iv1\"\n[app.x]\nid = 1\nclient_id = \"iv1\"\nhost = \"api.github.com\"\nprivate_key_file = \"app.pem\"\n[app.y]\nid = 1\nhost = \"ghe.example.com\"\nprivate_key_file = \"app.pem\"\n", want: []string{
			"config.toml:6: app.x.id: [app.bot] has the same",
			"	hint: an App needs one table only, with all its owners",
			"config.toml:7: app.x.client_id: [app.bot] has the same",
			"	hint: an App needs one table only, with all its owners",
		}},
		{name: "owners", text: minimal + "[app.bot.installations]\nacme = 1\nACME = 2\n\"a/b\" = 3\nzero = 0\ndefault_installation = 5\nhost = \"x\"\ndiscover = 7\n[app.bot.enterprises]\na = \"1\"\n", want: []string{
			`config.toml:6: app.bot.installations.ACME: the same login as "acme"`,
			"	hint: GitHub does not tell logins apart by case: keep one of them",
			`config.toml:7: app.bot.installations."a/b": not the login of an owner`,
			"	hint: letters, digits, - and _ are allowed; an installation covers an owner, not one repository",
			"config.toml:8: app.bot.installations.zero: must be positive",
			"config.toml:9: app.bot.installations.default_installation: a key of the App among the owners",
			"	hint: move it above [app.bot.installations]",
			"config.toml:10: app.bot.installations.host: a key of the App among the owners",
			"	hint: move it above [app.bot.installations]",
			"config.toml:13: app.bot.enterprises.a: must be an integer, not a string",
			"	hint: write it without quotes",
		}},
		{name: "client secret", text: minimal + "client_secret_env = \"S\"\n", env: map[string]string{"S": canary + " " + canary}, want: []string{
			"config.toml:4: app.bot.client_secret_env: $S: no client secret: that is one word",
			"config.toml:4: app.bot.client_secret_env: client_id is missing",
			"	hint: GitHub wants both together: add client_id",
		}},
	})
}

func TestSyntaxFaults(t *testing.T) {
	bare := "MII" + canary
	testFaults(t, []faultTest{
		{name: "no value", text: "[app.bot]\nid = \n", want: []string{"config.toml:2: expected a value", `	hint: text goes in quotes: key = "text"`}},
		{name: "bare word", text: "[app.bot]\nclient_secret = t" + canary + "\n", want: []string{"config.toml:2: expected a value", `	hint: text goes in quotes: key = "text"`}},
		{name: "number", text: "listen = 0" + strings.Repeat("1", 9) + "\n", want: []string{"config.toml:1: not a valid number", `	hint: text goes in quotes: key = "text"`}},
		{name: "large number", text: "listen = 99999999999999999999\n", want: []string{"config.toml:1: the number is too large"}},
		{name: "open string", text: "\nlisten = \"x\n", want: []string{"config.toml:2: a string ends with its line", `	hint: the closing " is missing`}},
		{name: "twice, the second time in several lines", text: "[app.bot]\nid = 1\nid = \"\"\"\n2\"\"\"\n", want: []string{"config.toml:3: the key is there twice", "\thint: keep one of them"}},
		{name: "twice, a table", text: "[app.bot]\nid = 1\n[app.bot]\nx = 2\n", want: []string{"config.toml:3: the key is there twice", "\thint: keep one of them"}},
		{name: "twice", text: "[app.bot]\nid = 1\nid = 2\n", want: []string{"config.toml:1: app.bot: the private key is missing",
			"\thint: give private_key_file, private_key_env, private_key_command or signer_command", "config.toml:3: the key is there twice", "\thint: keep one of them"}},
		{name: "pasted key", text: "private_key = \"-----BEGIN RSA PRIVATE KEY-----\n" + bare + "\n", want: []string{
			"config.toml:1: a string ends with its line",
			"	hint: keys and secrets do not belong into this file: name a file, an environment variable or a command that has them",
		}},
		{name: "pasted key without quotes", text: "private_key = -----BEGIN RSA PRIVATE KEY-----\n" + bare + "\n", want: []string{
			"config.toml:1: expected a digit but got '-'",
			"	hint: keys and secrets do not belong into this file: name a file, an environment variable or a command that has them",
		}},
		{name: "pasted base64", text: bare + "==\n", want: []string{"config.toml:1: expected a value", `	hint: text goes in quotes: key = "text"`}},
	})
}

func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile("../config.example.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	f.Add(minimal)
	f.Add("a = [ { b = 1 }, { c.d = '''x''''' } ] # c\n[[r.s]]\n[r.s.t]\n\"q\\\"\".'l' = \"\"\"\\\"\n\"\"\"\n")
	f.Add("\xef\xbb\xbfx = 1979-05-27 07:32:00\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // no command is run
		l := &loader{ctx: ctx}
		doc := parseDocument(&l.report, "f", "/nowhere/f", "", text)
		if doc != nil {
			checkPlaces(t, text)
			l.readDocument(&Config{}, doc)
		}
		lines := strings.Count(text, "\n") + 1
		for _, fault := range l.faults {
			if fault.Line < 0 || fault.Line > lines || fault.Problem == "" {
				t.Errorf("fault %+v in a file of %d lines", fault, lines)
			}
		}
	})
}
