package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/internal/freeport"
)

// What .ci/deploy has made: a Debian with systemd and curl, and the deb.
const (
	debianEnv = "GHAPP_PROXY_DEBIAN"
	debEnv    = "GHAPP_PROXY_DEB"
)

const systemdConfig = `
audit_log = "/var/lib/ghapp-proxy/audit.jsonl"

[admin]
listen = "unix:/run/ghapp-proxy/admin.sock"

[app.my-app]
id = %d
private_key_file = "/run/credentials/ghapp-proxy.service/keys_my-app.pem"
[app.my-app.installations]
acme = 111

[upstream]
ca_file = "github-ca.pem"
connect_to = { "api.github.com:443" = %q }

[client.agent]
listen = %q
uids = [33]
repositories = ["acme/widgets"]
`

// systemdTrial is what an administrator does with the package. systemd is process 1.
const systemdTrial = `
cd /trial
say() { echo "== $*"; }
say install
dpkg -i ghapp-proxy.deb
systemctl is-enabled ghapp-proxy.service ghapp-proxy.socket
say verify
systemd-analyze verify --man=no ghapp-proxy.service ghapp-proxy.socket 2>&1 | grep ghapp-proxy
systemd-analyze security --no-pager ghapp-proxy.service | tail -n 1
install -m 644 config.toml github-ca.pem /etc/ghapp-proxy/
install -m 600 my-app.pem /etc/ghapp-proxy/keys/
mkdir /etc/systemd/system/ghapp-proxy.socket.d
printf '[Socket]\nListenStream=\nListenStream=%s\n' "$LISTEN" >/etc/systemd/system/ghapp-proxy.socket.d/port.conf
systemctl daemon-reload
say start
systemctl enable -q --now ghapp-proxy.socket ghapp-proxy.service
systemctl is-active ghapp-proxy.service
systemctl show -P StatusText ghapp-proxy.service
curl -sSf -o ca.pem "http://$LISTEN/ca.pem"
ask() { setpriv --reuid "$1" --regid "$1" --clear-groups curl -sS --cacert ca.pem -x "http://$AGENT" "https://api.github.com/repos/acme/$2"; }
say asked
ask 33 widgets | grep -o '"full_name": *"[^"]*"'
ask 33 rockets | grep -o 'client agent is not granted the repository acme/rockets'
ask 34 widgets
ghapp-proxy health --admin unix:/run/ghapp-proxy/admin.sock
say reload
sed -i 's,acme/widgets,acme/rockets,' /etc/ghapp-proxy/config.toml
systemctl reload ghapp-proxy.service
for i in 1 2 3 4 5 6 7 8 9; do ask 33 rockets | grep -o '"full_name": *"[^"]*"' && break; sleep 0.3; done
say restart
(while [ ! -e stop ]; do curl -sf -o /dev/null "http://$LISTEN/ca.pem" || echo refused; echo asked >>asks; done >refused) &
before=$(systemctl show -P MainPID ghapp-proxy.service)
systemctl restart ghapp-proxy.service
ask 33 rockets | grep -o '"full_name": *"[^"]*"'
[ "$before" != "$(systemctl show -P MainPID ghapp-proxy.service)" ] && echo another process
touch stop; wait
[ -s asks ] && echo "asked all the time, refused $(wc -l <refused)"
say files
stat -c '%A %n' /var/lib/private/ghapp-proxy /var/lib/private/ghapp-proxy/audit.jsonl
grep -c . /var/lib/private/ghapp-proxy/audit.jsonl >/dev/null && echo audited
say remove
apt-get -qq remove -y ghapp-proxy >/dev/null
systemctl is-active ghapp-proxy.service
ls /etc/ghapp-proxy
say end
journalctl -u ghapp-proxy.service --no-pager -o cat >journal
`

// TestSystemd installs the deb where systemd is process 1, and has it start the
// proxy: with the key from its credentials, a user of its own, its sockets, its
// watchdog.
func TestSystemd(t *testing.T) {
	debian, deb := os.Getenv(debianEnv), os.Getenv(debEnv)
	if debian == "" || deb == "" {
		t.Skipf("$%s or $%s is not set", debianEnv, debEnv)
	}
	github := newGitHub(t)
	listen, agent := freeport.Address(t), freeport.Address(t)
	dir := t.TempDir()
	script := fmt.Sprintf("LISTEN=%s AGENT=%s\n", listen, agent) + systemdTrial
	for name, text := range map[string]string{
		"ghapp-proxy.deb": readFile(t, deb),
		"config.toml":     fmt.Sprintf(systemdConfig, github.App("ci-bot").ID, github.ConnectTo()["api.github.com:443"], agent),
		"github-ca.pem":   string(github.CAPEM()),
		"my-app.pem":      string(github.App("ci-bot").PrivateKeyPEM()),
		"trial":           script,
	} {
		writeFile(t, filepath.Join(dir, name), []byte(text))
	}
	if err := os.Chmod(dir, 0o755); err != nil { // for the user that asks
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "trial.service")
	writeFile(t, unit, []byte(`[Unit]
After=basic.target
Requires=basic.target
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
TimeoutStartSec=240
ExecStart=/bin/bash /trial/trial
StandardOutput=file:/trial/output
StandardError=inherit
`))
	ctx := t.Context()
	cmd := exec.CommandContext(ctx, "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--volatile=overlay", "--directory="+debian,
		"--bind="+dir+":/trial", "--bind-ro="+unit+":/etc/systemd/system/trial.service", "--boot", "systemd.unit=trial.service", "systemd.show_status=no")
	cmd.WaitDelay = 10 * time.Second
	log, err := cmd.CombinedOutput()
	output := readFile(t, filepath.Join(dir, "output"))
	journal := readFile(t, filepath.Join(dir, "journal"))
	if err != nil {
		t.Errorf("the machine: %v\n%s", err, log)
	}
	steps := make(map[string]string)
	for _, step := range strings.Split(output, "== ")[1:] {
		name, text, _ := strings.Cut(step, "\n")
		steps[name] = text
	}
	for name, want := range map[string][]string{
		"install": {"disabled\ndisabled\n"},
		"verify":  {"OK"},
		"start":   {"active\n"},
		"asked":   {`"full_name":"acme/widgets"`, "client agent is not granted", "CONNECT tunnel failed, response 403", "[+]credentials: of my-app"},
		"reload":  {`"full_name":"acme/rockets"`},
		"restart": {`"full_name":"acme/rockets"`, "another process\nasked all the time, refused 0\n"},
		"files":   {"drwx------ /var/lib/private/ghapp-proxy\n-rw------- /var/lib/private/ghapp-proxy/audit.jsonl\naudited\n"},
		"remove":  {"inactive\nconfig.toml\ngithub-ca.pem\nkeys\n"},
		"end":     {""},
	} {
		text, ok := steps[name]
		for _, part := range want {
			if !ok || !strings.Contains(text, part) {
				t.Errorf("%s: %q, want %q in it", name, text, part)
			}
		}
	}
	for line := range strings.Lines(journal) {
		refused := strings.Contains(line, `"msg":"request"`) || strings.Contains(line, `"msg":"refused"`)
		if strings.Contains(line, `"level":"WARN"`) && !refused || strings.Contains(line, `"level":"ERROR"`) {
			t.Errorf("the journal: %s", line)
		}
	}
	if !strings.HasPrefix(steps["verify"], "→ Overall exposure level") {
		t.Errorf("systemd-analyze: %s", steps["verify"])
	}
	noSecrets(t, github, output+journal)
	if t.Failed() {
		t.Logf("%s\n%s", output, journal)
	}
}
