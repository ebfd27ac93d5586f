package cli

import (
	"cmp"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"
)

// terminal is what can be shown where something is printed.
type terminal struct {
	interactive bool // it is a terminal: what was written can be written over
	colours     bool
	unicode     bool
}

// terminalOf looks at where w leads, and at what the environment says of it.
func terminalOf(w io.Writer, env lookup) terminal {
	get := func(name string) string { value, _ := env(name); return value }
	file, isFile := w.(*os.File)
	isTerminal := isFile && term.IsTerminal(int(file.Fd()))
	kind := get("TERM")
	smart := kind != "" && kind != "dumb" || runtime.GOOS == "windows" && get("WT_SESSION") != ""
	// POSIX, "Internationalization Variables": of these the first that is set counts.
	locale := strings.ToLower(cmp.Or(get("LC_ALL"), get("LC_CTYPE"), get("LANG")))
	return terminal{
		interactive: isTerminal && smart,
		colours:     isTerminal && smart && get("NO_COLOR") == "", // no-color.org
		unicode:     strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8") || runtime.GOOS == "windows" && isTerminal,
	}
}

// What ECMA-48 calls "select graphic rendition".
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
	faint  = "2"
)

// paint gives text a colour where there are any.
func (t terminal) paint(colour, text string) string {
	if !t.colours || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
