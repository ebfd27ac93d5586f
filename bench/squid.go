package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"ghapp-proxy/internal/freeport"
)

const squid = "squid"

// squidConfig intercepts, keeps nothing, logs nothing, and sets the field.
var squidConfig = template.Must(template.New("squid.conf").Parse(`
http_port {{.Listen}} ssl-bump tls-cert={{.Dir}}/interceptor.pem generate-host-certificates=on dynamic_cert_mem_cache_size=4MB
sslcrtd_program {{.Helper}} -s {{.Dir}}/certificates -M 4MB
sslcrtd_children 1 startup=1 idle=1
ssl_bump bump all
cache_peer 127.0.0.1 parent {{.Port}} 0 no-query no-digest no-netdb-exchange originserver tls tls-cafile={{.Dir}}/ca.pem ssldomain=` + apiHost + `
never_direct allow all
http_access allow all
request_header_access Authorization deny all
request_header_add Authorization "Bearer {{.Token}}" all
cache deny all
access_log none
cache_log {{.Dir}}/log
pid_filename {{.Dir}}/pid
pinger_enable off
visible_hostname bench
shutdown_lifetime 0 seconds
`))

// squidUser is nobody: squid does not run as root.
const squidUser = 65534

// startSquid starts squid, one process of it as it is by default.
func (l *lab) startSquid(ctx context.Context) (_ *peer, err error) {
	address, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	dir, err := l.publicDir()
	if err != nil {
		return nil, err
	}
	own, err := l.squidFiles(dir, address)
	if err != nil {
		return nil, err
	}
	helper := asNobody(squidHelper, "-c", "-s", filepath.Join(dir, "certificates"), "-M", "4MB")
	if text, err := helper.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s: the package squid-openssl has it", err, text)
	}
	process, err := startProcess(asNobody("squid", "-N", "-n", "bench", "-f", filepath.Join(dir, "squid.conf")))
	if err != nil {
		return nil, err
	}
	roots := l.pki.roots.Clone()
	roots.AppendCertsFromPEM(own)
	return &peer{name: squid, address: address, connect: true, roots: roots, process: process}, listens(ctx, process, address)
}

// squidHelper makes squid's certificates, where Debian has it.
const squidHelper = "/usr/lib/squid/security_file_certgen"

// squidFiles writes what squid reads, and returns its CA.
func (l *lab) squidFiles(dir, address string) (own []byte, err error) {
	ca, err := newInterceptor()
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(ca.PrivateKey)
	if err != nil {
		return nil, err
	}
	own = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate[0]})
	pair := append(bytes.Clone(own), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	roots, err := os.ReadFile(l.pki.ca)
	if err != nil {
		return nil, err
	}
	_, port, _ := strings.Cut(l.github, ":")
	var text bytes.Buffer
	err = squidConfig.Execute(&text, map[string]string{"Listen": address, "Dir": dir, "Helper": squidHelper, "Port": port, "Token": token})
	for name, text := range map[string][]byte{"interceptor.pem": pair, "ca.pem": roots, "squid.conf": text.Bytes()} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), text, 0o600), toNobody(filepath.Join(dir, name)))
	}
	return own, errors.Join(err, toNobody(dir))
}

// toNobody gives a file to nobody.
func toNobody(path string) error { return os.Chown(path, squidUser, squidUser) }

// asNobody is a command of nobody's.
func asNobody(command ...string) *exec.Cmd {
	id := strconv.Itoa(squidUser)
	return exec.Command("setpriv", append([]string{"--reuid", id, "--regid", id, "--clear-groups"}, command...)...)
}
