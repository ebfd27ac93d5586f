package certs

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ghapp-proxy/files"
)

// maxBundle is far above all roots that a system trusts, in bytes.
const maxBundle = 16 << 20

// SystemRoots says where the system keeps the certificates it trusts. The zero
// value looks in the places that crypto/x509 knows, which on macOS leaves out
// what was added to the keychain, and on Windows finds nothing.
type SystemRoots struct {
	// File is used instead of the well-known files; the environment variable
	// SSL_CERT_FILE says so to OpenSSL and Go.
	File string

	// Dirs is a list of directories, separated by colons, that are read after
	// the file and instead of the well-known directories; the environment
	// variable SSL_CERT_DIR.
	Dirs string
}

// wellKnownFiles are crypto/x509's of Go 1.26 (root_linux.go, root_bsd.go,
// root_solaris.go) for all systems; the first that has certificates is used.
// /etc/ssl/cert.pem exists on macOS as well.
var wellKnownFiles = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Gentoo, Arch
	"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora, RHEL 6
	"/etc/ssl/ca-bundle.pem",                            // openSUSE
	"/etc/pki/tls/cacert.pem",                           // OpenELEC
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // CentOS, RHEL 7
	"/usr/local/etc/ssl/cert.pem",                       // FreeBSD
	"/etc/ssl/cert.pem",                                 // Alpine, OpenBSD, macOS
	"/usr/local/share/certs/ca-root-nss.crt",            // DragonFly
	"/etc/openssl/certs/ca-certificates.crt",            // NetBSD
	"/etc/certs/ca-certificates.crt",                    // Solaris 11.2
	"/etc/ssl/cacert.pem",                               // OmniOS
}

// wellKnownDirs are used if there is no well-known file. (crypto/x509 reads them
// in any case. The file is what the distribution makes of them, while the
// directories can also hold server certificates: Fedora's localhost.crt.)
var wellKnownDirs = []string{
	"/etc/ssl/certs",               // SLES, FreeBSD
	"/etc/pki/tls/certs",           // Fedora, RHEL
	"/usr/local/share/certs",       // FreeBSD
	"/etc/openssl/certs",           // NetBSD
	"/system/etc/security/cacerts", // Android
}

// Bundle returns the system's roots followed by the certificates in extra, as
// PEM for clients whose setting replaces the roots they know instead of adding
// to them (SSL_CERT_FILE, REQUESTS_CA_BUNDLE). Certificates appear once; blocks
// of other types, such as private keys, are dropped. It is an error if File
// cannot be read or holds no certificate, if nothing is found, or if an element
// of extra holds no certificate.
func (s SystemRoots) Bundle(extra ...[]byte) ([]byte, error) {
	b := &bundle{seen: make(map[string]bool)}
	if err := b.addSystem(s); err != nil {
		return nil, fmt.Errorf("find the system's trusted certificates: %w", err)
	}
	for i, data := range extra {
		if b.add(data) == 0 {
			return nil, fmt.Errorf("bundle certificates: input %d of %d holds none", i+1, len(extra))
		}
	}
	return b.out.Bytes(), nil
}

// bundle collects certificates, each once.
type bundle struct {
	out  bytes.Buffer
	seen map[string]bool // DER
}

var (
	errNoCertificate = errors.New("no PEM certificate in it")
	errNoRoots       = errors.New("none in the usual places; install them (most systems have a package ca-certificates), or name a PEM file of them in SSL_CERT_FILE")
)

func (b *bundle) addSystem(s SystemRoots) error {
	if s.File != "" {
		if err := b.addFile(s.File); err != nil {
			return err
		}
	} else {
		b.addFirst(wellKnownFiles)
	}
	switch {
	case s.Dirs != "":
		b.addDirs(strings.Split(s.Dirs, ":"))
	case len(b.seen) == 0:
		b.addDirs(wellKnownDirs)
	}
	if len(b.seen) == 0 {
		return errNoRoots
	}
	return nil
}

func (b *bundle) addFirst(files []string) {
	for _, file := range files {
		if b.addFile(file) == nil {
			return
		}
	}
}

func (b *bundle) addFile(name string) error {
	data, _, err := files.Read(name, maxBundle)
	if err != nil {
		return err
	}
	if b.add(data) == 0 {
		return fmt.Errorf("%s: %w", name, errNoCertificate)
	}
	return nil
}

// addDirs adds what is in dirs. Directories that do not exist and files that are
// something else are common, and no fault.
func (b *bundle) addDirs(dirs []string) {
	for _, dir := range dirs {
		entries, _ := os.ReadDir(dir)
		for _, entry := range entries {
			if !isAlias(dir, entry) {
				b.addFile(filepath.Join(dir, entry.Name()))
			}
		}
	}
}

// isAlias reports whether entry is a link to a file beside it, such as the ones
// that OpenSSL's rehash makes.
func isAlias(dir string, entry fs.DirEntry) bool {
	if entry.Type()&fs.ModeSymlink == 0 {
		return false
	}
	target, err := os.Readlink(filepath.Join(dir, entry.Name()))
	return err == nil && !strings.Contains(target, "/")
}

// add copies the certificates in data, and returns how many there are. Like
// crypto/x509 it takes only what is plainly a certificate; OpenSSL's "TRUSTED
// CERTIFICATE" is something else.
func (b *bundle) add(data []byte) (count int) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return count
		}
		if block.Type != "CERTIFICATE" || len(block.Headers) != 0 {
			continue
		}
		count++
		if der := string(block.Bytes); !b.seen[der] {
			b.seen[der] = true
			pem.Encode(&b.out, block) // a bytes.Buffer takes everything
		}
	}
}
