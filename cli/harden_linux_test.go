package cli

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHardenedBeforeKeys: while a command prints a key, another process of the
// user reads neither the environment of ours nor its memory. As root it starts
// itself as another user, whom the kernel keeps from that.
func TestHardenedBeforeKeys(t *testing.T) {
	if config := os.Getenv("GHAPP_PROXY_TEST_CONFIG"); config != "" {
		var out bytes.Buffer
		status := Run(t.Context(), []string{"check", "--offline", "--config", config}, &out, &out)
		fmt.Println("STATUS", status, out.String())
		return
	}
	dir := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"key.pem": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		"config.toml": `state_dir = "state"
[app.a]
id = 1
private_key_command = ["sh", "-c", "for f in environ mem; do if (: </proc/$PPID/$f) 2>/dev/null; then echo $f is open >&2; exit 1; fi; done; cat key.pem"]
`,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A new process: what one test has hardened stays so.
	child := exec.Command("/proc/self/exe", "-test.run=^TestHardenedBeforeKeys$", "-test.v")
	child.Env = append(os.Environ(), "GHAPP_PROXY_TEST_CONFIG="+filepath.Join(dir, "config.toml"))
	child.Dir = "/"
	if os.Getuid() == 0 {
		const nobody = 65534
		child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		for _, name := range []string{dir, filepath.Join(dir, "key.pem"), filepath.Join(dir, "config.toml")} {
			if err := os.Chown(name, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "STATUS 0") {
		t.Errorf("%v: %s", err, out)
	}
}

// Every command begins with it, also one that comes to nothing.
func TestEveryCommandIsHardened(t *testing.T) {
	for _, args := range [][]string{{}, {"serve", "--nonsense"}, {"env", "--config", "missing.toml"}, {"--version"}} {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		Run(t.Context(), args, &out, &out)
		if got, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); got != 0 || err != nil {
			t.Errorf("%q: dumpable %d, %v", args, got, err)
		}
	}
}
