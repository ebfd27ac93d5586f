package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// awkward are values that a wrong quoting breaks.
var awkward = []string{
	"", "plain", "it's", `"$HOME" \ ` + "`id`", `a\`, `\'`, "a\nb", "''", "é ‘x’", "$(id) ${x} %PATH% !x", " a  b ", "*?[a]{b,c}~", "a=b;c&d|e<f>g#h",
}

// The real shells read back what is written for them.
func TestShellFormats(t *testing.T) {
	for _, tt := range []struct{ format, shell string }{
		{"sh", "sh"}, {"bash", "bash"}, {"zsh", "zsh"}, {"fish", "fish"}, {"pwsh", "pwsh"},
	} {
		t.Run(tt.format, func(t *testing.T) {
			shell, err := exec.LookPath(tt.shell)
			if err != nil {
				t.Skip(err)
			}
			format, err := chooseFormat(tt.format, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, value := range awkward {
				text, err := format.write(output{vars: []variable{{"XVAR", value}}})
				if err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command(shell, "-c", string(text)+"printenv XVAR")
				cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
				out, err := cmd.Output()
				if got := strings.TrimSuffix(string(out), "\n"); got != value || err != nil && value != "" {
					t.Errorf("%s reads %q as %q, %v", tt.shell, value, got, err)
				}
			}
		})
	}
}

func TestPowershellQuote(t *testing.T) {
	for in, want := range map[string]string{"a": "'a'", "it's": "'it''s'", "‘x’": "'‘‘x’’'", "‚‛": "'‚‚‛‛'", `$x "y" \`: `'$x "y" \'`, "": "''"} {
		if got := powershellQuote(in); got != want {
			t.Errorf("powershellQuote(%q) = %s, want %s", in, got, want)
		}
	}
}

// docker is a function here that prints what it is given.
func TestDockerFlags(t *testing.T) {
	dir := t.TempDir() + "/it's"
	for _, value := range awkward {
		text, err := dockerFlags(output{vars: []variable{{"XVAR", value}, {"Y", "y"}}, dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		script := `docker() { for a; do printf '%s\000' "$a"; done; }; eval "docker run $(cat flags) IMAGE"`
		cmd := exec.Command("sh", "-c", script)
		cmd.Dir = t.TempDir()
		if err := os.WriteFile(filepath.Join(cmd.Dir, "flags"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := cmd.CombinedOutput()
		want := strings.Join([]string{"run", "-v", dir + ":/etc/ghapp-proxy:ro", "-e", "XVAR=" + value, "-e", "Y=y", "IMAGE", ""}, "\x00")
		if err != nil || string(out) != want {
			t.Errorf("docker gets %q, %v, want %q", out, err, want)
		}
	}
}

func TestActionsFile(t *testing.T) {
	text, err := actionsFile(output{vars: []variable{{"A", "x=y z"}, {"B", "1\nEOF\nC=2"}}})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if lines[0] != "A=x=y z" {
		t.Errorf("a plain value is written as %q", lines[0])
	}
	end, ok := strings.CutPrefix(lines[1], "B<<")
	if want := []string{"1", "EOF", "C=2", end, ""}; !ok || len(end) < 20 || strings.Join(lines[2:], "\n") != strings.Join(want, "\n") {
		t.Errorf("a value of several lines is written as %q", lines[1:])
	}
}

func TestGitlabVariables(t *testing.T) {
	text, err := gitlabVariables(output{vars: []variable{{"A", `a "b" $C <&>`}, {"D", "e\nf"}}})
	want := "variables:\n  A: \"a \\\"b\\\" $$C <&>\"\n  D: \"e\\nf\"\n"
	if err != nil || string(text) != want {
		t.Errorf("gitlabVariables = %q, %v, want %q", text, err, want)
	}
}

func TestJSONObject(t *testing.T) {
	for _, value := range awkward {
		text, err := jsonObject(output{vars: []variable{{"A", value}}})
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]string)
		if err := json.Unmarshal(text, &got); err != nil || got["A"] != value {
			t.Errorf("%q is written as %s: %v", value, text, err)
		}
	}
}

func TestChooseFormat(t *testing.T) {
	for _, tt := range []struct{ flag, shell, want string }{
		{"", "", "sh"}, {"", "/usr/bin/fish", "fish"}, {"", "/bin/zsh", "sh"}, {"", "/bin/tcsh", "sh"},
		{"bash", "/usr/bin/fish", "sh"}, {"pwsh", "", "powershell"},
	} {
		got, err := chooseFormat(tt.flag, tt.shell)
		if err != nil || got.names[0] != tt.want {
			t.Errorf("chooseFormat(%q, %q) = %v, %v, want %s", tt.flag, tt.shell, got, err, tt.want)
		}
	}
	if _, err := chooseFormat("tcsh", ""); err == nil || !strings.Contains(err.Error(), "use bash, fish") {
		t.Errorf("an unknown format: %v", err)
	}
}
