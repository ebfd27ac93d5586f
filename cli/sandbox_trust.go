package cli

import (
	"path/filepath"

	"ghapp-proxy/sandbox"
)

// rootPlaces are where systems and tools have the certificates that they trust, in PEM.
var rootPlaces = []string{
	"/etc/ssl/certs/ca-certificates.crt",        // Debian, Alpine, Arch; Go, curl, GnuTLS
	"/etc/ssl/cert.pem", "/etc/ssl1.1/cert.pem", // Alpine's OpenSSL
	"/etc/ssl/ca-bundle.pem",                                    // SUSE
	"/var/lib/ca-certificates/ca-bundle.pem",                    // SUSE
	"/etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/tls/cert.pem", // Fedora
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora
	"/usr/lib/ssl/cert.pem", "/usr/local/ssl/cert.pem",  // OpenSSL
	"/opt/*/ssl/cacert.pem", "/opt/*/ssl/cert.pem", // conda
}

// certifiPlaces are where Python's certifi is, below a directory that has lib/pythonX.Y; pip has one of its own.
var certifiPlaces = []string{"certifi/cacert.pem", "pip/_vendor/certifi/cacert.pem"}

// pythonHomes are such directories, of the system, of the user, and of the working directory.
var (
	pythonHomes     = []string{"/usr", "/usr/local", "/opt/*"}
	userPythonHomes = []string{".local", ".pyenv/versions/*", ".local/pipx/venvs/*", ".local/share/pipx/venvs/*", ".local/share/uv/tools/*", ".local/share/uv/python/*"}
	workPythonHomes = []string{".venv", "venv", "env"}
)

// javaPlaces are where Java has its own.
var (
	javaPlaces     = []string{"/etc/ssl/certs/java/cacerts", "/etc/pki/ca-trust/extracted/java/cacerts", "/etc/pki/java/cacerts", "/usr/lib/jvm/*/lib/security/cacerts", "/usr/lib/jvm/*/jre/lib/security/cacerts", "/opt/*/lib/security/cacerts"}
	userJavaPlaces = []string{".sdkman/candidates/java/*/lib/security/cacerts", ".jdks/*/lib/security/cacerts"}
)

// trustBinds show our bundle in all of these places, so that no tool has to be told.
func trustBinds(home, dir, javaHome string) []sandbox.Bind {
	var binds []sandbox.Bind
	show := func(name string, places ...string) {
		for _, at := range places {
			binds = append(binds, sandbox.Bind{Name: name, At: at})
		}
	}
	show(bundleFile, rootPlaces...)
	show(trustStoreFile, javaPlaces...)
	pythons := pythonHomes
	for _, below := range workPythonHomes {
		pythons = append(pythons, filepath.Join(dir, below))
	}
	if home != "" {
		for _, below := range userPythonHomes {
			pythons = append(pythons, filepath.Join(home, below))
		}
		for _, below := range userJavaPlaces {
			show(trustStoreFile, filepath.Join(home, below))
		}
	}
	if javaHome != "" {
		show(trustStoreFile, filepath.Join(javaHome, "lib/security/cacerts"), filepath.Join(javaHome, "jre/lib/security/cacerts"))
	}
	for _, python := range pythons {
		for _, certifi := range certifiPlaces {
			show(bundleFile, filepath.Join(python, "lib/python3*/*-packages", certifi))
		}
	}
	return binds
}

// showTrust has the files that childEnv wrote seen in those places.
func showTrust(spec *sandbox.Spec, env []string) {
	javaHome, _ := lookupIn(env)("JAVA_HOME")
	spec.Roots = bundleFile
	spec.Bind = append(spec.Bind, trustBinds(spec.Home, spec.Dir, javaHome)...)
}
