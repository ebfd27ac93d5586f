package config

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ghapp-proxy/auth"
)

// anotherPEM returns a new key, and its fingerprint.
func anotherPEM(t *testing.T) (text, fingerprint string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der := x509.MarshalPKCS1PrivateKey(key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der})), auth.NewKey(key).String()
}

// signsWith returns the fingerprint of the key that a Signer has when it is
// asked to sign, and checks that it signs with that.
func signsWith(t *testing.T, f *keyFile) string {
	t.Helper()
	got, err := f.Sign(t.Context(), []byte("header.claims"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := f.key.Sign(t.Context(), []byte("header.claims"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("Sign = another signature than its key's, %v", err)
	}
	return f.key.String()
}

// TestKeyFileIsReplaced goes through all that may become of a file.
func TestKeyFileIsReplaced(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	path := filepath.Join(dir, "app.pem")
	write(t, path, testPEM())
	f, err := openKeyFile(nil, path, nil, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	first := auth.NewKey(testKey()).String()
	secondPEM, second := anotherPEM(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	link := func(name string) {
		must(os.RemoveAll(path))
		must(os.Symlink(name, path))
	}
	data := filepath.Join(dir, "..data")
	steps := []struct {
		name   string
		change func()
		want   string
		log    string // a part of the line that it is worth, "" for none
	}{
		{"nothing", func() {}, first, ""},
		{"touched", func() { write(t, path, testPEM()) }, first, ""},
		{"written in place", func() { write(t, path, secondPEM) }, second, "level=INFO msg=\"a key file has another key\" file=" + path},
		{"half written", func() { write(t, path, testPEM()[:800]) }, second, "level=WARN msg=\"a key file cannot be read again: its last key is used on\""},
		{"written in full", func() { write(t, path, testPEM()) }, first, "level=INFO"},
		{"emptied", func() { write(t, path, "") }, first, "the key is empty"},
		{"removed", func() { must(os.Remove(path)) }, first, "no such file or directory"},
		{"readable by others", func() { write(t, path, secondPEM); must(os.Chmod(path, 0o644)) }, second, "other users may read " + path},
		{"and read again", func() {}, second, ""},
		{"renamed over", func() { write(t, path+".new", testPEM()); must(os.Rename(path+".new", path)) }, first, "level=INFO"},
		{"a directory", func() { must(os.Remove(path)); must(os.Mkdir(path, 0o700)) }, first, "is a directory"},
		{"a volume of Kubernetes", func() {
			for name, text := range map[string]string{"..1": testPEM(), "..2": secondPEM} {
				must(os.Mkdir(filepath.Join(dir, name), 0o700))
				write(t, filepath.Join(dir, name, "app.pem"), text)
			}
			must(os.Symlink("..1", data))
			link("..data/app.pem")
		}, first, ""},
		{"its links are exchanged", func() {
			must(os.Symlink("..2", data+"_tmp"))
			must(os.Rename(data+"_tmp", data))
		}, second, "level=INFO"},
		{"a pipe, which would block", func() { must(os.Remove(path)); must(exec.Command("mkfifo", path).Run()) }, second, ""},
	}
	for _, step := range steps {
		log.Reset()
		step.change()
		if got := signsWith(t, f); got != step.want {
			t.Errorf("%s: it signs with %s, want %s", step.name, got, step.want)
		}
		if got := log.String(); !strings.Contains(got, step.log) || step.log == "" && got != "" {
			t.Errorf("%s: log %q, want %q in it", step.name, got, step.log)
		}
		for _, secret := range []string{testPEM(), secondPEM} {
			if body := strings.Split(secret, "\n")[1]; strings.Contains(log.String(), body[:20]) {
				t.Errorf("%s: the log has a key in it", step.name)
			}
		}
	}
	if got, want := fmt.Sprintf("%d|%+v|%s", f, f, f), second+" of "+path; got != want+"|"+want+"|"+want {
		t.Errorf("it prints as %s", got)
	}
}

func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	otherPEM, other := anotherPEM(t)
	write(t, filepath.Join(dir, "old.pem"), testPEM())
	write(t, filepath.Join(dir, "new.pem"), otherPEM)
	if err := os.Chmod(filepath.Join(dir, "new.pem"), 0o640); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "c.toml"), app(`private_key_file = ["new.pem", "./old.pem"]`))
	cfg, errText := loadIn(t, dir, Source{Path: filepath.Join(dir, "c.toml"), HomeDir: "/h"})
	if errText != "" {
		t.Fatal(errText)
	}
	want := fmt.Sprintf("[%s of %s/new.pem %s of %s/old.pem]", other, dir, auth.NewKey(testKey()), dir)
	if got := fmt.Sprint(cfg.Apps[0].Signers); got != want {
		t.Errorf("Signers = %s, want %s", got, want)
	}
	if len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0], "chmod 600 "+dir+"/new.pem") {
		t.Errorf("Warnings = %q, want one about new.pem", cfg.Warnings)
	}
	cfg, errText = loadIn(t, dir, Source{Path: filepath.Join(dir, "c.toml"), HomeDir: "/h", NoSecrets: true})
	if errText != "" || cfg.Apps[0].Signers != nil {
		t.Errorf("without secrets: Signers = %v, %s", cfg.Apps[0].Signers, errText)
	}
}

func TestKeyFaults(t *testing.T) {
	const hint = `	hint: private_key_file = ["…", "…"]`
	testFaults(t, []faultTest{
		{name: "one file of two is missing", text: app(`private_key_file = ["app.pem", "no.pem"]`), want: []string{
			"config.toml:3: app.bot.private_key_file: DIR/no.pem: no such file or directory",
			"	hint: save the private key that the App's settings page let you download there, or give the path of the file that has it"}},
		{name: "both are wrong", text: app(`private_key_file = [".", "config.toml"]`), want: []string{
			"config.toml:3: app.bot.private_key_file: DIR: is a directory",
			"config.toml:3: app.bot.private_key_file: config.toml: not a PEM key: it must start with -----BEGIN RSA PRIVATE KEY----- or -----BEGIN PRIVATE KEY-----"}},
		{name: "no file", text: app(`private_key_file = []`), want: []string{
			"config.toml:3: app.bot.private_key_file: must not be empty", "	hint: leave the key out if it is not needed"}},
		{name: "a number", text: app(`private_key_file = 1`), want: []string{
			"config.toml:3: app.bot.private_key_file: must be a string, not an integer", "	hint: put it in quotes"}},
		{name: "a number among them", text: app(`private_key_file = ["app.pem", 1]`), want: []string{
			"config.toml:3: app.bot.private_key_file: element 2 must be a string, not an integer", hint}},
		{name: "a key among them", text: app(`private_key_file = ["app.pem", "-----BEGIN ` + canary + `"]`), want: []string{
			"config.toml:3: app.bot.private_key_file: element 2 is empty, or a secret", hint}},
		{name: "too many", text: app(`private_key_file = ["app.pem", "app.pem", "app.pem", "app.pem", "app.pem"]`), want: []string{
			"config.toml:3: app.bot.private_key_file: more than 4 keys", "	hint: keep the newest, and those that GitHub still knows"}},
		{name: "a key and a signer", text: app(`private_key_file = "app.pem"`, `signer_command = ["true"]`), want: []string{
			"config.toml:4: app.bot.signer_command: private_key_file is given as well: the secret comes from one place", "	hint: keep one of them"}},
		{name: "a signer as text", text: app(`signer_command = "true"`), want: []string{
			"config.toml:3: app.bot.signer_command: must be an array of strings, not a string",
			`	hint: one string for each word: ["op", "read", "op://vault/key"]`}},
		{name: "a signer that is not there", text: app(`signer_command = ["./no-signer", "` + canary + `"]`), want: []string{
			"config.toml:3: app.bot.signer_command: ./no-signer: no such command",
			"	hint: relative commands with a slash start at the directory of the configuration file, others are looked for in $PATH"}},
		{name: "a signer that cannot run", text: app(`signer_command = ["./app.pem"]`), want: []string{
			"config.toml:3: app.bot.signer_command: ./app.pem: permission denied"}},
	})
}

// TestEnvironmentKeyIsReplaced: a file that a variable names is read again too.
func TestEnvironmentKeyIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key.pem")
	write(t, path, testPEM())
	cfg, errText := loadIn(t, dir, Source{HomeDir: dir, LookupEnv: environ(map[string]string{"GITHUB_APP_ID": "1", "GITHUB_PRIVATE_KEY_PATH": path})})
	if errText != "" {
		t.Fatal(errText)
	}
	text, fingerprint := anotherPEM(t)
	write(t, path, text)
	if got := signsWith(t, cfg.Apps[0].Signers[0].(*keyFile)); got != fingerprint {
		t.Errorf("it signs with %s, want %s", got, fingerprint)
	}
}
