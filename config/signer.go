package config

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ghapp-proxy/auth"
)

// commandSigner is a command that has the private key, or knows who does. It
// stands here rather than in package auth because it must be run with the same
// care as the commands that print a key.
type commandSigner struct {
	argv     []string
	dir      string   // where it runs
	withheld []string // variables that it does not get: they hold other secrets
}

const signerHint = "run it by hand with some text as its input: it must print the RSA signature (PKCS #1 v1.5, SHA-256) of that, as bytes or in base64"

// Sign implements auth.Signer.
func (c *commandSigner) Sign(ctx context.Context, signingInput []byte) ([]byte, error) {
	out, err := runCommand(ctx, c.argv, c.dir, ownGroup, func(cmd *exec.Cmd) {
		cmd.Stdin = bytes.NewReader(signingInput)
		cmd.Env = without(cmd.Environ(), c.withheld)
	})
	var signature []byte
	if err == nil {
		signature, err = parseSignature(out)
	}
	if err == nil {
		return signature, nil
	}
	err = fmt.Errorf("%s: %w", c, err)
	if h := (hinted{}); errors.As(err, &h) {
		return nil, err
	}
	return nil, hinted{err, signerHint}
}

// Equal reports whether a Signer is the same command.
func (c *commandSigner) Equal(other auth.Signer) bool {
	o, ok := other.(*commandSigner)
	return ok && o.dir == c.dir && slices.Equal(o.argv, c.argv) && slices.Equal(o.withheld, c.withheld)
}

// String names the command.
func (c *commandSigner) String() string { return "signer_command " + commandName(c.argv) }

// Format implements fmt.Formatter with String, whatever the verb: arguments may
// be confidential.
func (c *commandSigner) Format(s fmt.State, _ rune) { io.WriteString(s, c.String()) }

// without returns the environment without some variables.
func without(env, names []string) []string {
	return slices.DeleteFunc(env, func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(names, name)
	})
}

// Of a key of 2048 to 8192 bits, in bytes.
const minSignature, maxSignature = 256, 1024

var (
	textShape = regexp.MustCompile(`^[ -~\s]*$`)
	hexShape  = regexp.MustCompile(`^[0-9a-fA-F:\s]+$`)
)

// parseSignature reads what a command printed. If all of it is text, then it is
// base64 or base64url, with or without padding and line breaks: 256 random bytes
// look like text in no lifetime. Else it is the signature itself. The error
// quotes nothing: with the signature, others could act as the App.
func parseSignature(out []byte) ([]byte, error) {
	signature := out
	if textShape.Match(out) {
		if hexShape.Match(out) {
			return nil, errors.New("it printed hexadecimal digits, not bytes or base64")
		}
		text := strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(strings.Join(strings.Fields(string(out)), ""))
		var err error
		if signature, err = base64.RawStdEncoding.DecodeString(text); err != nil {
			return nil, errors.New("it printed text that is not base64")
		}
	}
	// Moduli are whole numbers of 64 bits: another length has a line break too
	// many, or is a message.
	if n := len(signature); n < minSignature || n > maxSignature || n%8 != 0 {
		return nil, fmt.Errorf("it printed %d bytes, which is no RSA signature: that of 2048 bits has %d", n, minSignature)
	}
	return signature, nil
}

// checkCommand reports a command that does not exist.
func checkCommand(argv []string, dir string) error {
	if _, err := executable(argv, dir); err != nil {
		return commandError(err)
	}
	return nil
}

// executable is the file that a command runs.
func executable(argv []string, dir string) (string, error) {
	name := argv[0]
	if strings.ContainsRune(name, '/') && !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	return exec.LookPath(name)
}
