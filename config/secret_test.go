package config

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ghapp-proxy/auth"
)

// app returns a configuration whose App has the lines below its id.
func app(lines ...string) string {
	return "[app.bot]\nid = 1\n" + strings.Join(lines, "\n") + "\n"
}

func TestKeySources(t *testing.T) {
	text := testPEM()
	for name, env := range map[string]string{
		"plain":  text,
		"mended": strings.ReplaceAll(text, "\n", `\n`),
		"base64": base64.StdEncoding.EncodeToString([]byte(text)),
	} {
		t.Run(name, func(t *testing.T) {
			cfg, errText := load(t, app(`private_key_env = "K"`), map[string]string{"K": env})
			if errText != "" || !hasKey(cfg.Apps[0]) {
				t.Errorf("Load: %s", errText)
			}
		})
	}
}

func TestSecretFaults(t *testing.T) {
	isHolding := []string{
		"config.toml:3: app.bot.private_key_file: holds the secret itself instead of the path of a file",
		"	hint: save the secret in a file that only you can read (mode 0600) and give the path of that file",
	}
	notName := []string{
		"config.toml:3: app.bot.private_key_env: must be the name of an environment variable",
		"	hint: put the secret into an environment variable and give the variable's name, without $",
	}
	const argvHint = `	hint: one string for each word: ["op", "read", "op://vault/key"]`
	testFaults(t, []faultTest{
		{name: "two sources", text: app(`private_key_env = "K"`, `private_key_file = "app.pem"`), want: []string{
			"config.toml:3: app.bot.private_key_env: private_key_file is given as well: the secret comes from one place",
			"	hint: keep one of them",
		}},
		{name: "no file", text: app(`private_key_file = "no.pem"`), want: []string{
			"config.toml:3: app.bot.private_key_file: DIR/no.pem: no such file or directory",
			"	hint: save the private key that the App's settings page let you download there, or give the path of the file that has it"}},
		{name: "directory", text: app(`private_key_file = "."`), want: []string{
			"config.toml:3: app.bot.private_key_file: DIR: is a directory"}},
		{name: "home", text: app(`private_key_file = "~/no.pem"`), want: []string{
			"config.toml:3: app.bot.private_key_file: /home/me/no.pem: no such file or directory",
			"	hint: save the private key that the App's settings page let you download there, or give the path of the file that has it"}},
		{name: "pasted PEM", text: app(`private_key_file = """-----BEGIN RSA PRIVATE KEY-----`, canary, `-----END RSA PRIVATE KEY-----"""`), want: isHolding},
		{name: "pasted base64", text: app(`private_key_file = "LS0tLS1CRUdJTi` + canary + `"`), want: isHolding},
		{name: "pasted token", text: app(`private_key_file = "ghp_0123456789abcdef` + canary + `"`), want: isHolding},
		{name: "pasted PEM for a name", text: app(`private_key_env = "-----BEGIN ` + canary + `"`), want: notName},
		{name: "pasted digits for a name", text: app(`private_key_env = "abcdef0123456789abcdef0123456789abcdef01"`), want: notName},
		{name: "name with a dollar", text: app(`private_key_env = "$KEY"`), want: notName},
		{name: "unset", text: app(`private_key_env = "KEY"`), want: []string{
			"config.toml:3: app.bot.private_key_env: $KEY: this environment variable is unset or empty"}},
		{name: "garbage", text: app(`private_key_env = "KEY"`), env: map[string]string{"KEY": canary}, want: []string{
			"config.toml:3: app.bot.private_key_env: $KEY: not a PEM key: it must start with -----BEGIN RSA PRIVATE KEY----- or -----BEGIN PRIVATE KEY-----"}},
		{name: "command as text", text: app(`private_key_command = "op read x"`), want: []string{
			"config.toml:3: app.bot.private_key_command: must be an array of strings, not a string", argvHint}},
		{name: "word that is none", text: app(`private_key_command = ["op", 1]`), want: []string{
			"config.toml:3: app.bot.private_key_command: word 2 must be a string, not an integer", argvHint}},
		{name: "no words", text: app(`private_key_command = []`), want: []string{
			"config.toml:3: app.bot.private_key_command: names no command", argvHint}},
		{name: "no such command", text: app(`private_key_command = ["no-such-command", "` + canary + `"]`), want: []string{
			"config.toml:3: app.bot.private_key_command: the output of no-such-command: no such command",
			"	hint: relative commands with a slash start at the directory of the configuration file, others are looked for in $PATH"}},
		{name: "command fails", text: app(`private_key_command = ["sh", "-c", "echo ` + canary + `; echo first >&2; printf 'not\\033 signed in\\n' >&2; exit 3"]`), want: []string{
			`config.toml:3: app.bot.private_key_command: the output of sh: exit status 3: "not  signed in"`}},
		{name: "command prints nothing", text: app(`private_key_command = ["true"]`), want: []string{
			"config.toml:3: app.bot.private_key_command: the output of true: the command printed nothing"}},
		{name: "command prints too much", text: app(`private_key_command = ["yes", "` + canary + `"]`), want: []string{
			"config.toml:3: app.bot.private_key_command: the output of yes: longer than 1 MiB"}},
		{name: "command leaves a child", text: app(`private_key_command = ["sh", "-c", "sleep 3 & cat app.pem"]`), want: []string{
			"config.toml:3: app.bot.private_key_command: the output of sh: the command ended, but a child of it keeps its output open"}},
		{name: "pasted key for a command", text: app(`private_key_command = ["-----BEGIN ` + canary + `"]`), want: []string{
			"config.toml:3: app.bot.private_key_command: the output of the command: no such command",
			"	hint: relative commands with a slash start at the directory of the configuration file, others are looked for in $PATH"}},
		{name: "client secret is a key", text: app(`client_id = "Iv1"`, `private_key_file = "app.pem"`, `client_secret_file = "app.pem"`), want: []string{
			"config.toml:5: app.bot.client_secret_file: DIR/app.pem: PEM, where the App's client secret is needed"}},
		{name: "no client secret", text: app(`client_id = "Iv1"`, `private_key_file = "app.pem"`, `client_secret_file = "no"`), want: []string{
			"config.toml:5: app.bot.client_secret_file: DIR/no: no such file or directory",
			"	hint: save the secret there, or give the path of the file that has it"}},
		{name: "client secret itself", text: app(`client_id = "Iv1"`, `private_key_file = "app.pem"`, `client_secret = "`+canary+`"`), want: []string{
			"config.toml:5: app.bot.client_secret: unknown key",
			`	hint: did you mean "client_secret_command", "client_secret_env" or "client_secret_file"?`}},
	})
}

// TestForbiddenFile says what to do about a file that is somebody else's. Nothing is
// forbidden to root, who may run the tests.
func TestForbiddenFile(t *testing.T) {
	const want = `environment: PRIVATE_KEY_PATH: /keys/app.pem: permission denied
	hint: whoever runs ghapp-proxy must be able to read the file, and to enter the directories that it is in`
	if got := newFault("environment", 0, "PRIVATE_KEY_PATH", pathError("/keys/app.pem", appKey, syscall.EACCES)).String(); got != want {
		t.Errorf("the fault is %q, want %q", got, want)
	}
}

// TestWrongKinds checks that what auth.ParseKey says arrives, not what it says.
func TestWrongKinds(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	for _, text := range []string{
		block("PRIVATE KEY", der), block("PUBLIC KEY", der), block("CERTIFICATE", der), block("OPENSSH PRIVATE KEY", der),
		block("ENCRYPTED PRIVATE KEY", der), block("EC PRIVATE KEY", der), "-----BEGIN RSA PRIVATE KEY-----",
	} {
		_, errText := load(t, app(`private_key_env = "K"`), map[string]string{"K": text})
		if !strings.Contains(errText, ":3: app.bot.private_key_env: $K: ") {
			t.Errorf("error of %.30q = %s", text, errText)
		}
		if _, body, ok := strings.Cut(text, "\n"); ok && strings.Contains(errText, body[:20]) {
			t.Errorf("error of %.30q quotes it: %s", text, errText)
		}
	}
}

func TestLimits(t *testing.T) {
	large := filepath.Join(t.TempDir(), "big")
	write(t, large, strings.Repeat("x", maxFile+1))
	_, errText := load(t, app(`private_key_file = "`+large+`"`), nil)
	if want := "DIR/config.toml:3: app.bot.private_key_file: " + large + ": longer than 1 MiB"; errText != want {
		t.Errorf("error = %q, want %q", errText, want)
	}
}

func TestCommandTimeout(t *testing.T) {
	defer func(d time.Duration) { commandTimeout = d }(commandTimeout)
	commandTimeout = 2 * time.Second
	_, err := runCommand(t.Context(), []string{"sh", "-c", "echo waiting >&2; exec sleep 20"}, t.TempDir())
	if want := `the command did not end within 2s: "waiting"`; err == nil || err.Error() != want {
		t.Errorf("err = %v, want %s", err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := runCommand(ctx, []string{"true"}, t.TempDir()); err == nil || err.Error() != "context canceled" {
		t.Errorf("err = %v, want context canceled", err)
	}
}

func TestCommandReadsNothing(t *testing.T) {
	dir := t.TempDir()
	out, err := runCommand(t.Context(), []string{"sh", "-c", "cat; pwd -P"}, dir)
	real, _ := filepath.EvalSymlinks(dir)
	if err != nil || strings.TrimSpace(string(out)) != real {
		t.Errorf("runCommand = %q, %v; want %q", out, err, real)
	}
}

func TestLastLine(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"one\ntwo\n\n", `: "two"`},
		{strings.Repeat("ä", 5000), ": \"" + strings.Repeat("ä", 200) + "…\""},
		{"-----BEGIN " + canary, ""},
	}
	for _, test := range tests {
		var errOut tail
		if _, err := errOut.Write([]byte(test.in)); err != nil {
			t.Fatal(err)
		}
		if got := errOut.lastLine(); got != test.want {
			t.Errorf("lastLine of %.20q = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for path, want := range map[string]string{"/a/b.pem": "/a/b.pem", "/it's a": `'/it'\''s a'`} {
		if got := shellQuote(path); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", path, got, want)
		}
	}
}

// testCertificate returns a certificate in PEM.
func testCertificate(t *testing.T) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, testKey().Public(), testKey())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestCAFile(t *testing.T) {
	cert := testCertificate(t)
	path := filepath.Join(t.TempDir(), "roots.pem")
	write(t, path, "# a comment\n"+cert+"\n# another\n"+cert)
	roots, err := readRoots(nil, path)
	if err != nil || string(roots) != cert+cert {
		t.Errorf("readRoots = %q, %v", roots, err)
	}
	write(t, path, strings.Replace(cert, "MII", "MAA", 1))
	if _, err := readRoots(nil, path); err == nil || err.Error() != path+": a certificate in it is damaged" {
		t.Errorf("readRoots of a damaged certificate: %v", err)
	}
}

// A command that prints a secret gets nobody else's, wherever in the file the
// others are named.
func TestSecretCommandEnvironment(t *testing.T) {
	for _, name := range []string{"LATER_KEY", "LATER_SECRET", "GITHUB_APP_CLIENT_SECRET"} {
		t.Setenv(name, canary)
	}
	t.Setenv("OP_SERVICE_ACCOUNT_TOKEN", "its-own")
	const print = `_command = ["sh", "-c", "env >>env.txt; cat secret"]` + "\n"
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secret"), testPEM())
	file := filepath.Join(dir, "config.toml")
	write(t, file, "[app.first]\nid = 1\nprivate_key"+print+
		"[app.later]\nid = 2\nclient_id = \"Iv1.x\"\nprivate_key_env = \"LATER_KEY\"\nclient_secret_env = \"LATER_SECRET\"\n")
	variables := map[string]string{"LATER_KEY": testPEM(), "LATER_SECRET": strings.Repeat("a", 40)}
	cfg, err := Load(t.Context(), Source{Path: file, HomeDir: dir, LookupEnv: func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}})
	if err != nil {
		t.Fatal(err)
	}
	env, err := os.ReadFile(filepath.Join(dir, "env.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(env); strings.Contains(text, canary) || !strings.Contains(text, "OP_SERVICE_ACCOUNT_TOKEN=its-own") {
		t.Errorf("the environment of the command:\n%s", text)
	}
	if got := cfg.SecretTextEnv(); !slices.Contains(got, "LATER_KEY") || slices.Contains(got, "GITHUB_PRIVATE_KEY_PATH") {
		t.Errorf("SecretTextEnv = %q", got)
	}
}

// Who can change the configuration, or what is above it, chooses what is run.
func TestCommandOfOthers(t *testing.T) {
	for what, key := range map[string]string{"a key": "private_key_command", "a signature": "signer_command"} {
		dir := filepath.Join(t.TempDir(), "etc")
		file := filepath.Join(dir, "config.toml")
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		must(os.Mkdir(dir, 0o755))
		write(t, file, app(key+` = ["sh", "-c", "touch ran; cat key.pem"]`))
		write(t, filepath.Join(dir, "key.pem"), testPEM())
		for fault, change := range map[string]func(){
			file + ": others can write to it (mode 0666)": func() { must(os.Chmod(file, 0o666)) },
			dir + ": others can write to it (mode 0777)":  func() { must(os.Chmod(file, 0o600)); must(os.Chmod(dir, 0o777)) },
		} {
			must(os.Chmod(file, 0o600))
			must(os.Chmod(dir, 0o755))
			change()
			_, err := Load(t.Context(), Source{Path: file, HomeDir: dir})
			want := "config.toml:3: app.bot." + key + ": others could choose the command, since they can change the configuration: " + fault + "\n\thint: run `chmod go-w "
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", what, err, want)
			}
			if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
				t.Errorf("%s: the command was run", what)
			}
			if _, err := Load(t.Context(), Source{Path: file, HomeDir: dir, NoSecrets: true}); err != nil {
				t.Errorf("%s: a command that runs none: %v", what, err)
			}
		}
		must(os.Chmod(dir, 0o755))
		must(os.Chmod(file, 0o644))
		if _, err := Load(t.Context(), Source{Path: file, HomeDir: dir}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A key whose place is somebody else's is warned of.
func TestKeyOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	cfg, errText := load(t, app(`private_key_file = "app.pem"`), nil)
	if errText != "" || len(cfg.Warnings) > 0 {
		t.Fatal(errText, cfg)
	}
	dir := filepath.Dir(cfg.File)
	for _, path := range []string{filepath.Join(dir, "app.pem"), dir} {
		if err := os.Chown(path, 65533, -1); err != nil {
			t.Fatal(err)
		}
		cfg, err := Load(t.Context(), Source{Path: cfg.File, HomeDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		want := path + ": belongs to uid 65533, neither to root nor to the user, uid 0\n\thint: run `chown 0 " + path + "`"
		if n := len(cfg.Warnings); n == 0 || !strings.Contains(cfg.Warnings[n-1], want) { // of the directory, the configuration has one, too
			t.Errorf("Warnings = %q, want %s", cfg.Warnings, want)
		}
		if err := os.Chown(path, 0, -1); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnread: of an App's client secret it is known that there is one, where no secret
// is read.
func TestUnread(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.toml")
	const app = "[app.bot]\nid = 1\nclient_id = \"Iv1\"\nprivate_key_file = \"none.pem\"\n"
	for more, want := range map[string]auth.Secret{"": "", "client_secret_file = \"none\"": Unread, "client_secret_env = \"NONE\"": Unread, "client_secret_command = [\"./none\"]": Unread} {
		write(t, path, app+more)
		cfg, err := Load(t.Context(), Source{Path: path, HomeDir: "/h", NoSecrets: true})
		if err != nil || cfg.Apps[0].ClientSecret != want {
			t.Errorf("%q: %q, %v", more, string(cfg.Apps[0].ClientSecret), err)
		}
	}
	env := map[string]string{"GITHUB_APP_CLIENT_ID": "Iv1", "GITHUB_APP_CLIENT_SECRET": "x"}
	cfg, err := Load(t.Context(), Source{HomeDir: dir, NoSecrets: true, LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if err != nil || cfg.Apps[0].ClientSecret != Unread {
		t.Errorf("the environment's: %q, %v", string(cfg.Apps[0].ClientSecret), err)
	}
}
