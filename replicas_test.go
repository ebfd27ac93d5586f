//go:build unix

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ghapp-proxy/githubtest"
	"ghapp-proxy/internal/freeport"
	"ghapp-proxy/internal/redistest"
)

const (
	// fleetEnv is how many installations TestReplicasCold has; 15000 is what one proxy keeps tokens for.
	fleetEnv = "GHAPP_PROXY_FLEET"
	// replicas is how many proxies stand behind the balancer.
	replicas = 3
)

// fleet is replicas of the proxy behind a balancer, with a store that they share, and clients.
type fleet struct {
	*load
	store     *redistest.Server
	cuts      []*link // between each replica and the store
	proxies   []*process
	addresses []string
	admins    []string
	balancer  string
	owners    []string

	installed map[string]int64 // owner → installation
	mixed     atomic.Int64     // requests that arrived with another installation's token
	retried   atomic.Int64     // connections that ended
}

// newFleet starts it. The App is installed on so many owners besides those of the demo. Patience is what the
// replicas have with the store; the machine may be busy.
func newFleet(t *testing.T, owners int, patience string, storeArgs ...string) *fleet {
	t.Helper()
	return newFleetWith(t, owners, patience, "", storeArgs...)
}

// newFleetWith is newFleet with more in the configuration: keys, and then tables.
func newFleetWith(t *testing.T, owners int, patience, more string, storeArgs ...string) *fleet {
	t.Helper()
	haproxy := redistest.Find(t, "haproxy")
	f := &fleet{store: redistest.Start(t, storeArgs...), installed: make(map[string]int64)}
	f.load = newLoad(t)
	app := f.github.App("ci-bot").ID
	var mapped strings.Builder
	for i := range owners {
		login := fmt.Sprintf("org-%05d", i)
		if _, err := f.github.AddAccount(githubtest.Account{Login: login, Type: githubtest.TypeOrganization}); err != nil {
			t.Fatal(err)
		}
		in, err := f.github.Install(githubtest.Installation{App: app, Account: login})
		if err != nil {
			t.Fatal(err)
		}
		f.owners, f.installed[login] = append(f.owners, login), in.ID
		if i%10 != 0 { // the others are looked for
			fmt.Fprintf(&mapped, "%s = %d\n", login, in.ID)
		}
	}
	f.github.Inject(githubtest.Fault{Match: func(r *githubtest.Request) bool {
		if login, ok := strings.CutPrefix(r.Path(), "/orgs/"); ok && r.Credential == githubtest.CredentialInstallation && f.installed[login] != r.Installation {
			f.mixed.Add(1)
		}
		return false
	}})
	text, err := os.ReadFile(filepath.Join(f.dir, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	f.makeCA(t)
	for i := range replicas {
		f.cuts, f.admins = append(f.cuts, newLink(t, f.store.Addr)), append(f.admins, freeport.Address(t))
		all := strings.Replace(string(text), "acme = 111\n", "acme = 111\n"+mapped.String(), 1) +
			fmt.Sprintf("\n[ca]\ncert_file = \"ca.pem\"\nkey_file = \"ca.key\"\n[cache]\nsize = 0\n[governor]\nenabled = false\n[shared]\nurl = \"redis://%s\"\npatience = %q\n[admin]\nlisten = %q\n", f.cuts[i].addr, patience, f.admins[i])
		keys, tables, _ := strings.Cut(more, "\n[")
		if tables != "" {
			all += "[" + tables
		}
		if err := os.WriteFile(f.config(i), []byte(fmt.Sprintf("state_dir = \"state-%d\"\n%s\n", i, keys)+all), 0o600); err != nil {
			t.Fatal(err)
		}
		f.proxies, f.addresses = append(f.proxies, f.start(t, f.config(i))), append(f.addresses, f.proxy)
	}
	f.trust(t)
	f.balance(t, haproxy)
	return f
}

func (f *fleet) config(i int) string { return filepath.Join(f.dir, fmt.Sprintf("replica-%d.toml", i)) }

// makeCA makes the CA that all replicas have.
func (f *fleet) makeCA(t *testing.T) {
	t.Helper()
	text, err := selfSigned()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ca.pem", "ca.key"} {
		if err := os.WriteFile(filepath.Join(f.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// balance starts the balancer.
func (f *fleet) balance(t *testing.T, haproxy string) {
	t.Helper()
	f.balancer = freeport.Address(t)
	config := "global\n  maxconn 4000\n  stats socket " + filepath.Join(f.dir, "haproxy.sock") + "\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 5m\n  timeout server 5m\n  option redispatch\n  retries 5\n" +
		"listen replicas\n  bind " + f.balancer + "\n  balance roundrobin\n"
	for i, address := range f.addresses {
		config += fmt.Sprintf("  server r%d %s check inter 100ms fall 1 rise 1\n", i, address)
	}
	file := filepath.Join(f.dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(haproxy, "-db", "-f", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	waitToListen(t, f.balancer)
}

// restart starts a replica anew at the address that it had.
func (f *fleet) restart(t *testing.T, i int) {
	t.Helper()
	text, err := os.ReadFile(f.config(i))
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Replace(string(text), `listen = "127.0.0.1:0"`, fmt.Sprintf("listen = %q", f.addresses[i]), 1)
	if err := os.WriteFile(f.config(i), []byte(at), 0o600); err != nil {
		t.Fatal(err)
	}
	f.proxies[i] = f.start(t, f.config(i))
}

// client is one of the balancer's, with a connection of its own.
func (f *fleet) client() *http.Client { return clientOf(f.balancer, f.roots) }

func clientOf(proxy string, roots *x509.CertPool) *http.Client {
	return &http.Client{Timeout: 5 * time.Minute, Transport: &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}), TLSClientConfig: &tls.Config{RootCAs: roots}, MaxConnsPerHost: 1,
	}}
}

// get asks for an owner, again where the connection ends: as behind any balancer, whose replicas may die. What
// is answered must be right.
func (f *fleet) get(client *http.Client, owner string) {
	var err error
	for range 50 {
		var resp *http.Response
		if resp, err = client.Get("https://api.github.com/orgs/" + owner); err != nil {
			f.retried.Add(1)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		text, readErr := io.ReadAll(resp.Body)
		resp.Body.Close()
		if readErr != nil {
			err = readErr
			f.retried.Add(1)
			continue
		}
		f.answered.Add(1)
		if resp.StatusCode != http.StatusOK {
			f.lose("%s: %s %.300s", owner, resp.Status, text)
		}
		return
	}
	f.lose("%s: %v", owner, err)
}

// all asks for all owners, each three times at once.
func (f *fleet) all() {
	const workers = 32
	next := make(chan string)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			var clients [replicas]*http.Client
			for i := range clients {
				clients[i] = f.client()
				defer clients[i].CloseIdleConnections()
			}
			for owner := range next {
				var each sync.WaitGroup
				for _, client := range clients {
					each.Go(func() { f.get(client, owner) })
				}
				each.Wait()
			}
		})
	}
	for _, owner := range f.owners {
		next <- owner
	}
	close(next)
	wg.Wait()
}

// check fails the test for what was lost or mixed up.
func (f *fleet) check(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, lost := range f.lost[:min(len(f.lost), 10)] {
		t.Errorf("lost: %s", lost)
	}
	if len(f.lost) > 0 || f.mixed.Load() > 0 {
		t.Errorf("of %d requests %d were lost, and %d left with another installation's token", f.answered.Load(), len(f.lost), f.mixed.Load())
	}
}

// fleetSize is how many owners there are.
func fleetSize(t *testing.T) int {
	t.Helper()
	if text := os.Getenv(fleetEnv); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 150
}

// TestReplicasCold: replicas that know nothing mint one token for each installation, whoever asks
// whichever of them, and so they do when all tokens have ended.
func TestReplicasCold(t *testing.T) {
	size := fleetSize(t)
	f := newFleet(t, size, "1s")
	before, alone := f.github.Mints(), f.alone(t)
	for _, when := range []string{"cold", "an hour later"} {
		begun := time.Now()
		f.all()
		mints := f.github.Mints() - before
		before += mints
		late := f.alone(t) - alone
		alone += late
		t.Logf("%s: %d requests for %d installations in %v, %d mints", when, replicas*size, size, time.Since(begun).Round(time.Millisecond), mints)
		if mints < size || mints > size+late || late > size/20 { // on a busy machine the store may be late
			t.Errorf("%s: %d mints for %d installations, %d for want of an answer in time", when, mints, size, late)
		}
		f.github.SetClockSkew(61 * time.Minute)
		for i := range f.addresses { // each learns what time it is
			client := clientOf(f.addresses[i], f.roots)
			for range 2 {
				f.learnTime(client)
			}
			client.CloseIdleConnections()
		}
	}
	f.check(t)
	for i, p := range f.proxies {
		_, metrics := fetch(t, "http://"+f.admins[i]+"/metrics")
		t.Logf("replica %d:\n%s%s", i, linesWith(metrics, "ghapp_proxy_shared_"), linesWith(logOf(t, p), "shared store"))
		p.stop(t)
	}
}

// alone is how many questions replicas have answered by themselves, since the store did not say in time who does.
func (f *fleet) alone(t *testing.T) (n int) {
	t.Helper()
	for _, admin := range f.admins {
		_, metrics := fetch(t, "http://"+admin+"/metrics")
		_, rest, found := strings.Cut(metrics, `ghapp_proxy_shared_claims_total{result="alone"} `)
		text, _, _ := strings.Cut(rest, "\n")
		one, err := strconv.Atoi(text)
		if !found || err != nil {
			t.Fatalf("%s does not say how many (%v)", admin, err)
		}
		n += one
	}
	return n
}

// learnTime has a replica ask as the App, so that GitHub tells it the time.
func (f *fleet) learnTime(client *http.Client) {
	if resp, err := client.Get("https://api.github.com/app"); err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	time.Sleep(1100 * time.Millisecond) // it looks once in a second
}

// during asks for owners without a pause while something happens.
func (f *fleet) during(t *testing.T, happens func()) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			client := f.client()
			defer client.CloseIdleConnections()
			for n := i; ctx.Err() == nil; n += 7 {
				f.get(client, f.owners[n%len(f.owners)])
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	happens()
	end()
	wg.Wait()
}
