package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"ghapp-proxy/cli"
	"ghapp-proxy/githubtest"
)

// keepers are stand-ins for the programs of docs/secrets.md: scripts that take the
// arguments that they are known to take, and no others.
var keepers = map[string]string{
	"vault": `
case "$*" in
"kv get -mount=secret -field=private_key github/ci-bot") key ;;
"write -field=signature transit/sign/ci-bot/sha2-256 signature_algorithm=pkcs1v15 input="*) printf 'vault:v1:%s' "$(printf %s "${5#input=}" | base64 -d | sign | base64 -w0)" ;;`,
	"aws": `
case "$*" in
"secretsmanager get-secret-value --secret-id ci-bot-key --query SecretString --output text") key ;;
"kms sign --key-id alias/ci-bot --message fileb:///dev/stdin --message-type RAW --signing-algorithm RSASSA_PKCS1_V1_5_SHA_256 --query Signature --output text") cat /dev/stdin | sign | base64 -w0 ;;`,
	"gcloud": `
case "$*" in
"secrets versions access latest --secret=ci-bot-key") key ;;
"kms asymmetric-sign --location=global --keyring=github --key=ci-bot --version=1 --digest-algorithm=sha256 --input-file=- --signature-file=-") sign ;;`,
	"az": `
case "$*" in
"keyvault secret show --vault-name my-vault --name ci-bot-key --query value --output tsv") key ;;
"keyvault key sign --vault-name my-vault --name ci-bot --algorithm RS256 --digest "*" --query signature --output tsv") # in base64url
	printf %s "${11}" | base64 -d | openssl pkeyutl -sign -inkey "$STAND_IN" -pkeyopt digest:sha256 | base64 -w0 | tr -d = | tr +/ -_ ;;`,
	"op": `
case "$*" in
"read op://vault/ci-bot/private-key") key ;;`,
}

const keeperFrame = `#!/bin/sh
set -eu
key() { cat "$STAND_IN"; }
sign() { openssl dgst -sha256 -sign "$STAND_IN"; }
%s
*) echo "unexpected arguments: $*" >&2; exit 2 ;;
esac
`

// TestSecretCommands has each command of docs/secrets.md give a key, or a signature,
// that the fake GitHub takes.
func TestSecretCommands(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the stand-ins are scripts")
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip(err)
	}
	github, err := githubtest.Demo(githubtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer github.Close()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, cases := range keepers {
		write(name, fmt.Sprintf(keeperFrame, cases), 0o700)
	}
	t.Setenv("STAND_IN", write("key.pem", string(github.App("ci-bot").PrivateKeyPEM()), 0o600))
	write("github-ca.pem", string(github.CAPEM()), 0o600)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("XDG_STATE_HOME", dir)
	page, err := os.ReadFile("docs/secrets.md")
	if err != nil {
		t.Fatal(err)
	}
	signers, err := filepath.Abs("deploy/signers")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 9 {
		t.Fatalf("docs/secrets.md has %d commands", len(blocks))
	}
	for _, block := range blocks {
		config := strings.ReplaceAll(block[1], "/usr/share/ghapp-proxy/signers", signers)
		config = strings.ReplaceAll(config, "id = 12345", fmt.Sprintf("id = %d", github.App("ci-bot").ID))
		config += fmt.Sprintf("[upstream]\nca_file = \"github-ca.pem\"\nconnect_to = { %s }\n", connectTo(github))
		github.Reset()
		var out, log bytes.Buffer
		status := cli.Run(t.Context(), []string{"check", "--config", write("config.toml", config, 0o600)}, &out, &log)
		asked := false
		for _, r := range github.Requests() {
			asked = asked || r.Path() == "/app" && r.Status == 200
		}
		if status == 2 || !asked || log.Len() > 0 {
			t.Errorf("%s\nstatus %d, GitHub took it: %v\n%s%s", block[1], status, asked, &out, &log)
		}
	}
}
