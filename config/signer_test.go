package config

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/auth"
)

// sign asks the first App's only Signer for a signature.
func sign(t *testing.T, cfg *Config) ([]byte, error) {
	t.Helper()
	if len(cfg.Apps[0].Signers) != 1 {
		t.Fatalf("%d signers, want 1", len(cfg.Apps[0].Signers))
	}
	return cfg.Apps[0].Signers[0].Sign(t.Context(), []byte("header.claims"))
}

// wanted is the signature by the test's key.
func wanted(t *testing.T) []byte {
	t.Helper()
	signature, err := auth.NewKey(testKey()).Sign(t.Context(), []byte("header.claims"))
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func TestSignerCommand(t *testing.T) {
	cfg, errText := load(t, app(`signer_command = ["sh", "-c", "[ \"$(cat)\" = header.claims ] && base64 signature"]`), nil)
	if errText != "" {
		t.Fatal(errText)
	}
	if got := cfg.Apps[0].Signers[0].String(); got != "signer_command sh" {
		t.Errorf("String = %q", got)
	}
	want := wanted(t)
	write(t, filepath.Join(filepath.Dir(cfg.File), "signature"), string(want))
	if got, err := sign(t, cfg); err != nil || !bytes.Equal(got, want) {
		t.Errorf("Sign = %d bytes, %v; want the %d of the file", len(got), err, len(want))
	}
}

// TestSignerEnvironment: the secrets of others are not its business, everything
// else is as it was.
func TestSignerEnvironment(t *testing.T) {
	for _, name := range []string{"OTHER_KEY", "GITHUB_PRIVATE_KEY"} {
		t.Setenv(name, canary)
	}
	t.Setenv("PRIVATE_KEY_PATH", "/a/path")
	t.Setenv("KMS_TOKEN", "its-own")
	cfg, errText := load(t, app(`signer_command = ["sh", "-c", "env >env.txt; cat signature"]`)+"[app.other]\nid = 2\nprivate_key_env = \"OTHER_KEY\"\n",
		map[string]string{"OTHER_KEY": testPEM()})
	if errText != "" {
		t.Fatal(errText)
	}
	dir := filepath.Dir(cfg.File)
	write(t, filepath.Join(dir, "signature"), string(wanted(t)))
	if _, err := sign(t, cfg); err != nil {
		t.Fatal(err)
	}
	env, err := os.ReadFile(filepath.Join(dir, "env.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(env); strings.Contains(text, canary) || !strings.Contains(text, "PRIVATE_KEY_PATH=/a/path") || !strings.Contains(text, "KMS_TOKEN=its-own") {
		t.Errorf("the environment of the command:\n%s", text)
	}
}

func TestSignerCommandErrors(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"exit status", "echo " + canary + "; echo 'no such key' >&2; exit 1", `signer_command sh: exit status 1: "no such key"`},
		{"a key on stderr", "echo '-----BEGIN " + canary + "' >&2; exit 1", "signer_command sh: exit status 1"},
		{"nothing", "true", "signer_command sh: the command printed nothing"},
		{"garbage", "echo " + canary + "!", "signer_command sh: it printed text that is not base64"},
		{"short", "echo " + canary + "AA", "signer_command sh: it printed 6 bytes, which is no RSA signature: that of 2048 bits has 256"},
		{"a line break too many", "cat app.sig; echo", "signer_command sh: it printed 257 bytes, which is no RSA signature"},
		{"too much", "yes", "signer_command sh: longer than 1 MiB"},
		{"killed", "kill -9 $$", "signer_command sh: signal: killed"},
		{"a child that stays", "sleep 20 & cat app.sig", "signer_command sh: the command ended, but a child of it keeps its output open"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "app.sig"), string(wanted(t)))
			signer := &commandSigner{argv: []string{"sh", "-c", test.script}, dir: dir}
			signature, err := signer.Sign(t.Context(), []byte("header.claims"))
			if err == nil || signature != nil {
				t.Fatalf("Sign = %d bytes, %v; want an error", len(signature), err)
			}
			var remedied interface{ Remedy() string }
			if !errors.As(err, &remedied) || remedied.Remedy() == "" {
				t.Errorf("error %v has no remedy", err)
			}
			if got := err.Error(); !strings.HasPrefix(got, test.want) || strings.Contains(got, canary) {
				t.Errorf("error = %s\nwant    %s", got, test.want)
			}
		})
	}
}

// TestSignerHangs: it is killed with its children.
func TestSignerHangs(t *testing.T) {
	defer func(d time.Duration) { commandTimeout = d }(commandTimeout)
	commandTimeout = 100 * time.Millisecond
	dir := t.TempDir()
	signer := &commandSigner{argv: []string{"sh", "-c", "(sleep 4; touch late) & wait"}, dir: dir}
	begin := time.Now()
	_, err := signer.Sign(t.Context(), nil)
	if want := "signer_command sh: the command did not end within 100ms"; err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
	if took := time.Since(begin); took > 3900*time.Millisecond {
		t.Errorf("it took %v: its child was waited for", took)
	}
	time.Sleep(4500*time.Millisecond - time.Since(begin))
	if _, err := os.Stat(filepath.Join(dir, "late")); err == nil {
		t.Error("a child of the command has lived on")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := signer.Sign(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want the context's", err)
	}
}

func TestParseSignature(t *testing.T) {
	random := func(n int) []byte {
		b := make([]byte, n)
		rand.Read(b)
		return b
	}
	lines := func(s string) string { // as base64(1) and openssl do
		var b strings.Builder
		for ; len(s) > 64; s = s[64:] {
			b.WriteString(s[:64] + "\n")
		}
		return b.String() + s + "\n"
	}
	for _, n := range []int{256, 384, 512, 1024} { // 384 bytes are 512 characters of base64, as long as a signature of 4096 bits
		signature := random(n)
		for name, out := range map[string]string{
			"bytes":             string(signature),
			"base64":            base64.StdEncoding.EncodeToString(signature),
			"base64, no pad":    base64.RawStdEncoding.EncodeToString(signature),
			"base64url":         base64.URLEncoding.EncodeToString(signature) + "\n",
			"base64url, no pad": base64.RawURLEncoding.EncodeToString(signature),
			"lines":             lines(base64.StdEncoding.EncodeToString(signature)),
			"CRLF":              strings.ReplaceAll(lines(base64.StdEncoding.EncodeToString(signature)), "\n", "\r\n"),
		} {
			if got, err := parseSignature([]byte(out)); err != nil || !bytes.Equal(got, signature) {
				t.Errorf("%s of %d bytes: %d bytes, %v; want the signature", name, n, len(got), err)
			}
		}
		if _, err := parseSignature([]byte(hex.EncodeToString(signature))); err == nil {
			t.Errorf("%d bytes in hexadecimal were taken for something else", n)
		}
	}
	for _, out := range [][]byte{random(128), random(255), random(257), random(1032), nil, []byte(strings.Repeat("A", 1025)),
		[]byte("vault:v1:" + base64.StdEncoding.EncodeToString(random(256))), []byte(`{"Signature": "` + base64.StdEncoding.EncodeToString(random(256)) + `"}     `)} {
		if got, err := parseSignature(out); err == nil {
			t.Errorf("%.20q… (%d bytes) gave a signature of %d bytes, want an error", out, len(out), len(got))
		}
	}
}
