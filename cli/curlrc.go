package cli

import (
	"path/filepath"
	"strconv"

	"ghapp-proxy/files"
)

// curlrcFile is what curl reads in the directory that CURL_HOME names.
const curlrcFile = ".curlrc"

// writeCurlrc writes a configuration file for curl, which takes no variable for whom it
// trusts as a proxy with TLS (7.88: CURL_CA_BUNDLE is for servers alone). It takes
// the place of the user's: so it says what that says.
func (f *trustFiles) writeCurlrc(t trust) error {
	text, mode := f.ownCurlrc(), f.mode
	if len(text) > 0 {
		text, mode = append(text, '\n'), 0o600 // there may be passwords in it
	}
	text = append(text, "proxy-cacert = "+strconv.Quote(t.path(bundleFile))+"\n"...)
	return writeFileAtomic(filepath.Join(f.dir, curlrcFile), text, mode)
}

// ownCurlrc is what the user's own file says: curl(1), --config.
func (f *trustFiles) ownCurlrc() []byte {
	var places []string
	for _, name := range []string{"CURL_HOME", "XDG_CONFIG_HOME", "HOME"} {
		dir, _ := f.has(name)
		if dir == "" || name == "CURL_HOME" && (dir == f.dir || dir == f.earlier) {
			continue
		}
		places = append(places, filepath.Join(dir, curlrcFile))
	}
	if f.home == "" {
		return nil // it does not matter
	}
	for _, path := range places {
		if own, _, err := files.Read(path, 1<<20); err == nil {
			return own
		}
	}
	return nil
}
