package cli

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ghapp-proxy/certs"
	"ghapp-proxy/safepath"
)

// The files that tools read.
const (
	bundleFile     = "bundle.pem"     // the system's roots and ours
	caFile         = "ca.pem"         // ours
	trustStoreFile = "truststore.p12" // the bundle, for Java
	wgetFile       = "wgetrc"
	shimFile       = "node-proxy.cjs"
)

// trust is where tools find the files.
type trust struct {
	dir string
	own map[string]string // variable → the file that extends the user's own
}

// path is where tools find a file.
func (t trust) path(name string) string { return filepath.Join(t.dir, name) }

// file is what a variable names: byDefault unless it has a file of its own.
func (t trust) file(variable, byDefault string) string {
	if name, ok := t.own[variable]; ok {
		return t.path(name)
	}
	return t.path(byDefault)
}

// trustFiles are the files to write for tools.
type trustFiles struct {
	ca      []byte // what to trust besides the system's roots
	dir     string // where to write them
	seenAs  string // dir as the tools will see it, "" if it is the same
	mode    os.FileMode
	has     lookup // the environment that the tools would have without us
	home    string // the user's home, "" if his settings do not matter
	secure  bool   // the proxy speaks TLS
	open    bool   // Java's store asks for no password, so that it can be in the place of Java's own
	earlier string // directory of files of an earlier `env`, which are not taken for the user's own
}

// trustTexts are the files that hold certificates, before they are written.
type trustTexts struct {
	files map[string][]byte
	own   map[string]string // trust.own
	notes []string
}

// texts reads what tools trust, and adds the proxy's: most of the time that write takes. The notes say which of the
// user's settings could not be kept.
func (f *trustFiles) texts() (*trustTexts, error) {
	bundle, err := f.systemRoots().Bundle(f.ca)
	if err != nil {
		return nil, err
	}
	makeStore := javaTrustStore
	if f.open {
		makeStore = openTrustStore
	}
	store, err := makeStore(bundle)
	if err != nil {
		return nil, err
	}
	t := &trustTexts{own: make(map[string]string)}
	t.files = map[string][]byte{bundleFile: bundle, caFile: f.ca, trustStoreFile: store, shimFile: nodeShim}
	t.notes = f.extendOwn(t.files, t.own)
	return t, nil
}

// write writes the files. The notes are those of texts, and of what else could not be kept.
func (f *trustFiles) write() (trust, []string, error) {
	texts, err := f.texts()
	if err != nil {
		return trust{}, nil, err
	}
	return f.writeTexts(texts)
}

// writeTexts is write, when the texts are there.
func (f *trustFiles) writeTexts(texts *trustTexts) (t trust, notes []string, err error) {
	t, notes = trust{dir: cmp.Or(f.seenAs, f.dir), own: texts.own}, texts.notes
	for name, text := range texts.files {
		if err := writeFileAtomic(filepath.Join(f.dir, name), text, f.mode); err != nil {
			return t, nil, fmt.Errorf("write what tools trust: %w", err)
		}
	}
	if f.secure {
		if err := f.writeCurlrc(t); err != nil {
			return t, nil, fmt.Errorf("write what tools trust: %w", err)
		}
	}
	dropped, err := f.writeWgetrc(t)
	if len(dropped) > 0 {
		notes = append(notes, "left out of wgetrc: "+strings.Join(dropped, ", "))
	}
	return t, notes, err
}

// systemRoots are what tools trust without us.
func (f *trustFiles) systemRoots() certs.SystemRoots {
	var roots certs.SystemRoots
	roots.File = f.ownFile("SSL_CERT_FILE")
	roots.Dirs, _ = f.has("SSL_CERT_DIR")
	return roots
}

// ownFile is the file that the user set a variable to, "" for none or one of
// an earlier `env`: that may hold a CA that was renewed since.
func (f *trustFiles) ownFile(name string) string {
	file, _ := f.has(name)
	if dir := filepath.Dir(file); file == "" || dir == f.dir || dir == f.earlier {
		return ""
	}
	return file
}

// extendOwn adds to files one for each that the user has one tool trust, and
// records them in own. What cannot be read is noted.
func (f *trustFiles) extendOwn(files map[string][]byte, own map[string]string) (notes []string) {
	base := f.ownFile("SSL_CERT_FILE")
	done := make(map[string]string) // the user's file → ours
	for _, name := range slices.Concat(bundleEnv, extraEnv) {
		file := f.ownFile(name)
		if file == "" || file == base && slices.Contains(bundleEnv, name) {
			continue
		}
		if _, ok := done[file]; !ok {
			text, err := rootsIn(file).Bundle(f.ca)
			if err != nil {
				notes = append(notes, fmt.Sprintf("%s was replaced: %v", name, err))
				continue
			}
			done[file] = name + ".pem"
			files[done[file]] = text
		}
		own[name] = done[file]
	}
	return notes
}

// rootsIn are the certificates of a file or, as OpenSSL and requests take too,
// a directory.
func rootsIn(path string) certs.SystemRoots {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return certs.SystemRoots{Dirs: path}
	}
	return certs.SystemRoots{File: path}
}

// makeShared creates a directory for files that tools trust, some of which Node
// runs: nobody else may put others there.
func makeShared(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := safepath.Check(dir); err != nil {
		return fmt.Errorf("tools trust what is in the directory of --dir: %w", err)
	}
	return nil
}

// writeFileAtomic replaces the file at path, so that a reader sees the old
// text or the new.
func writeFileAtomic(path string, text []byte, mode os.FileMode) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // gone already if all went well
	_, err = temp.Write(text)
	if err == nil {
		err = temp.Chmod(mode)
	}
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
