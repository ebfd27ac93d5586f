package cli

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// output is what `env` prints.
type output struct {
	vars []variable
	dir  string // of the files, on this machine
}

// format is a form of `env`'s output.
type format struct {
	names []string
	write func(output) ([]byte, error)
	// mount is where the tools see the files, "" for where they are written.
	mount string
	// elsewhere says that the tools will not have the environment of this
	// process.
	elsewhere bool
	// without are variables that cannot be set so.
	without []string
	// failed is what to print instead, so that what evaluates it fails as well.
	failed string
	// mask is what to print before, to standard error, so that a secret does not
	// show up in the log of a job; nil for nothing.
	mask func(secret string) string
}

// containerDir is where the files are in a container.
const containerDir = "/etc/ghapp-proxy"

// formats are the forms there are; the first is the default.
var formats = []format{
	{names: []string{"sh", "bash", "zsh", "posix"}, write: posixExports, failed: "false\n"},
	{names: []string{"fish"}, write: fishExports, failed: "false\n"},
	{names: []string{"powershell", "pwsh"}, write: powershellExports, failed: "throw 'ghapp-proxy env failed'\n"},
	// Steps may not set NODE_OPTIONS for others (github.blog changelog,
	// 2023-10-05).
	{names: []string{"github-actions"}, write: actionsFile, without: []string{"NODE_OPTIONS"}, mask: actionsMask},
	{names: []string{"gitlab"}, write: gitlabVariables, elsewhere: true},
	{names: []string{"docker"}, write: dockerFlags, elsewhere: true, mount: containerDir, failed: "--ghapp-proxy-env-failed\n"},
	{names: []string{"json"}, write: jsonObject},
}

// chooseFormat finds the format that the flag names, or else the one for the
// user's shell.
func chooseFormat(flag, shell string) (*format, error) {
	named := func(name string) int {
		return slices.IndexFunc(formats, func(f format) bool { return slices.Contains(f.names, name) })
	}
	if flag == "" {
		return &formats[max(0, named(path.Base(shell)))], nil
	}
	i := named(flag)
	if i < 0 {
		return nil, fmt.Errorf("--shell %q: use bash, fish, powershell, github-actions, gitlab, docker or json", flag)
	}
	return &formats[i], nil
}

// each formats every variable with a format of two strings.
func each(vars []variable, layout string, quote func(string) string) []byte {
	var text []byte
	for _, v := range vars {
		text = fmt.Appendf(text, layout, v.name, quote(v.value))
	}
	return text
}

func posixExports(o output) ([]byte, error) { return each(o.vars, "export %s=%s\n", shellQuote), nil }

// shellQuote quotes s for a POSIX shell.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func fishExports(o output) ([]byte, error) { return each(o.vars, "set -gx %s %s\n", fishQuote), nil }

// fishQuote quotes s for fish: in single quotes, backslashes escape quotes and
// themselves.
func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func powershellExports(o output) ([]byte, error) {
	return each(o.vars, "$env:%s = %s\n", powershellQuote), nil
}

// powershellQuote quotes s for PowerShell, which takes typographic quotes for
// quotes as well (about_Quoting_Rules); twice means itself.
func powershellQuote(s string) string {
	return "'" + strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(s) + "'"
}

// actionsFile is what to append to $GITHUB_ENV (docs.github.com, "Workflow
// commands for GitHub Actions", multiline strings): a value must not end its
// own heredoc.
func actionsFile(o output) ([]byte, error) {
	var text []byte
	for _, v := range o.vars {
		if !strings.ContainsAny(v.value, "\r\n") {
			text = fmt.Appendf(text, "%s=%s\n", v.name, v.value)
			continue
		}
		end := "ghapp-proxy-" + rand.Text()
		text = fmt.Appendf(text, "%s<<%s\n%s\n%s\n", v.name, end, v.value, end)
	}
	return text, nil
}

// actionsMask is the workflow command that keeps a value out of the log
// (docs.github.com, "Workflow commands for GitHub Actions", masking a value). The
// runner reads it from either of a step's streams.
func actionsMask(secret string) string { return "::add-mask::" + secret + "\n" }

// gitlabVariables is the variables keyword of .gitlab-ci.yml. (A dotenv report
// would be limited to 20 variables.) A JSON string is one of YAML; a $ would
// name a variable.
func gitlabVariables(o output) ([]byte, error) {
	text := []byte("variables:\n")
	for _, v := range o.vars {
		quoted, err := jsonText(strings.ReplaceAll(v.value, "$", "$$"))
		if err != nil {
			return nil, err
		}
		text = fmt.Appendf(text, "  %s: %s\n", v.name, quoted)
	}
	return text, nil
}

// dockerFlags are flags of `docker run`, quoted for a shell, as one command
// line over many lines.
func dockerFlags(o output) ([]byte, error) {
	flags := []string{"-v " + shellQuote(o.dir+":"+containerDir+":ro")}
	for _, v := range o.vars {
		flags = append(flags, "-e "+shellQuote(v.name+"="+v.value))
	}
	return []byte(strings.Join(flags, " \\\n") + "\n"), nil
}

func jsonObject(o output) ([]byte, error) {
	object := make(map[string]string, len(o.vars))
	for _, v := range o.vars {
		object[v.name] = v.value
	}
	text, err := jsonText(object)
	return append(text, '\n'), err
}

// jsonText is value as JSON for people: one name per line, and <>& as they are.
func jsonText(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(value)
	return bytes.TrimSpace(text.Bytes()), err
}
