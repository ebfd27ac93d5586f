package cli

import (
	"bufio"
	"bytes"
	"path/filepath"
	"slices"
	"strings"

	"ghapp-proxy/files"
)

// beaten are the commands of a wgetrc that would beat ours or lead past the
// proxy, as wget compares them: without case, - and _ (wget's manual, "Wgetrc
// Syntax").
var beaten = []string{"cacertificate", "httpproxy", "httpsproxy", "proxyuser", "proxypassword", "useproxy", "noproxy"}

// writeWgetrc writes a startup file for wget, which takes the place of the
// user's: so it says what that says. It returns the commands that it leaves out.
func (f *trustFiles) writeWgetrc(t trust) (dropped []string, err error) {
	text, dropped := f.ownWgetrc()
	mode := f.mode
	if len(text) > 0 {
		mode = 0o600 // there may be passwords in it
	}
	text = append(text, "ca_certificate = "+t.path(bundleFile)+"\n"...)
	return dropped, writeFileAtomic(filepath.Join(f.dir, wgetFile), text, mode)
}

// ownWgetrc is what the user's own startup file says, less what would do harm.
func (f *trustFiles) ownWgetrc() (text []byte, dropped []string) {
	path := f.ownFile("WGETRC")
	if path == "" && f.home != "" {
		path = filepath.Join(f.home, ".wgetrc")
	}
	own, _, err := files.Read(path, 1<<20)
	if err != nil {
		return nil, nil // there is none
	}
	for lines := bufio.NewScanner(bytes.NewReader(own)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		name, _, _ := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		switch {
		case line == "" || line[0] == '#':
		case slices.Contains(beaten, strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))), holdsSecret(line):
			dropped = append(dropped, name)
		default:
			text = append(text, line+"\n"...)
		}
	}
	return text, dropped
}
