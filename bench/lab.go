package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"ghapp-proxy/internal/freeport"
)

// lab has what is measured, and what that needs.
type lab struct {
	dir     string
	binary  string
	pki     *pki
	github  string // its address
	stub    *process
	running map[string]*peer
	public  []string // directories that others than this user may enter
}

func newLab(ctx context.Context, dir, binary string) (*lab, error) {
	keys, err := newPKI(dir)
	if err != nil {
		return nil, err
	}
	l := &lab{dir: dir, binary: binary, pki: keys, running: make(map[string]*peer)}
	if l.github, err = freeport.Find(); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if l.stub, err = startProcess(exec.Command(self, stubCommand, l.github, keys.cert, keys.key)); err != nil {
		return nil, err
	}
	if err := listens(ctx, l.stub, l.github); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) close() {
	for name := range l.running {
		l.stop(name)
	}
	l.stub.stop()
	for _, dir := range l.public {
		os.RemoveAll(dir)
	}
}

// publicDir makes a directory that others may enter.
func (l *lab) publicDir() (string, error) {
	dir, err := os.MkdirTemp("", "ghapp-proxy-bench")
	l.public = append(l.public, dir)
	return dir, err
}

func (l *lab) stop(name string) {
	if p := l.running[name]; p != nil && p.process != nil {
		p.process.stop()
	}
	delete(l.running, name)
}

// direct is the name of no peer: straight to the GitHub.
const direct, nginx = "direct", "nginx"

// peer returns the one of that name, which it starts where it does not run.
// fresh means that nothing else runs, so that what others hold is not counted.
func (l *lab) peer(ctx context.Context, name string, fresh bool) (p *peer, err error) {
	if fresh {
		l.stop(name)
	}
	if p := l.running[name]; p != nil {
		return p, nil
	}
	switch name {
	case direct:
		p = &peer{name: name, address: l.github, roots: l.pki.roots}
	case nginx:
		p, err = l.startNginx(ctx)
	case squid:
		p, err = l.startSquid(ctx)
	case goproxyCommand:
		p, err = l.startGoproxy(ctx)
	default:
		p, err = l.startProxy(ctx, name, variants[name])
	}
	if err != nil {
		return nil, err
	}
	l.running[name] = p
	return p, nil
}

var nginxConfig = template.Must(template.New("nginx.conf").Parse(`
worker_processes 2;
daemon off;
pid {{.Dir}}/nginx.pid;
error_log {{.Dir}}/nginx.log warn;
worker_rlimit_nofile 20000;
events { worker_connections 16000; }
http {
	access_log off;
	client_body_temp_path {{.Dir}}/body; proxy_temp_path {{.Dir}}/proxy; fastcgi_temp_path {{.Dir}}/f; uwsgi_temp_path {{.Dir}}/u; scgi_temp_path {{.Dir}}/s;
	keepalive_requests 1000000000;
	keepalive_timeout 300s;
	client_max_body_size 0;
	upstream github { server {{.GitHub}}; keepalive 512; keepalive_requests 1000000000; keepalive_timeout 300s; }
	server {
		listen {{.Listen}} ssl http2;
		http2_max_requests 1000000000;
		ssl_certificate {{.PKI.Cert}};
		ssl_certificate_key {{.PKI.Key}};
		ssl_protocols TLSv1.2 TLSv1.3;
		ssl_session_cache shared:S:4m;
		location / {
			proxy_pass https://github;
			proxy_http_version 1.1;
			proxy_ssl_server_name on;
			proxy_ssl_name $host;
			proxy_ssl_protocols TLSv1.2 TLSv1.3;
			proxy_ssl_verify on;
			proxy_ssl_trusted_certificate {{.PKI.CA}};
			proxy_set_header Host $host;
			proxy_set_header Connection "";
			proxy_set_header Authorization "Bearer {{.Token}}";
			proxy_max_temp_file_size 0;
			proxy_request_buffering off;
			proxy_buffers 16 16k;
			proxy_buffer_size 16k;
		}
	}
}
`))

func (l *lab) startNginx(ctx context.Context) (*peer, error) {
	address, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = nginxConfig.Execute(&text, map[string]any{
		"Dir": l.dir, "GitHub": l.github, "Listen": address, "Token": token,
		"PKI": map[string]string{"Cert": l.pki.cert, "Key": l.pki.key, "CA": l.pki.ca},
	})
	file := filepath.Join(l.dir, "nginx.conf")
	if err := errors.Join(err, os.WriteFile(file, text.Bytes(), 0o600)); err != nil {
		return nil, err
	}
	process, err := startProcess(exec.Command("nginx", "-e", filepath.Join(l.dir, "nginx.log"), "-c", file))
	if err != nil {
		return nil, fmt.Errorf("%w: bench/run installs nginx", err)
	}
	return &peer{name: nginx, address: address, roots: l.pki.roots, process: process}, listens(ctx, process, address)
}

// startProxy starts ghapp-proxy with a configuration of its own.
func (l *lab) startProxy(ctx context.Context, name string, v variant) (*peer, error) {
	dir := filepath.Join(l.dir, strings.ReplaceAll(name, " ", "-"))
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return nil, err
	}
	address, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(config, v.config(l, dir, address), 0o600); err != nil {
		return nil, err
	}
	ca, err := exec.CommandContext(ctx, l.binary, "--config", config, "ca").Output()
	if err != nil {
		return nil, fmt.Errorf("ghapp-proxy ca: %w", err)
	}
	roots := l.pki.roots.Clone()
	roots.AppendCertsFromPEM(ca)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	cmd := exec.Command(l.binary, "--config", config, "serve")
	cmd.Stdout, cmd.Stderr = log, log
	process, err := startProcess(cmd)
	if err != nil {
		return nil, err
	}
	p := &peer{name: name, address: address, connect: true, secret: v.secret, admin: v.adminSocket(dir), tunnelTo: l.github, roots: roots, process: process}
	if v.led != "" {
		p.address, p.connect = v.led, false
	}
	if err := listens(ctx, process, address); err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return p, nil
}

// listens waits until somebody listens on the address, or the process has ended.
func listens(ctx context.Context, p *process, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		if conn, err := new(net.Dialer).DialContext(ctx, "tcp", address); err == nil {
			return conn.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended: %s\n%s", p.cmd, p.cmd.ProcessState, p.output.String())
		case <-ctx.Done():
			return fmt.Errorf("%s does not listen on %s", p.cmd, address)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func basic(userPassword string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userPassword))
}
