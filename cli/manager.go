package cli

import (
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// manager is the service manager that has started this process, systemd or another
// that speaks its protocol (sd_notify(3), sd_listen_fds(3)); nil for none.
type manager struct {
	files    []*os.File    // the listeners that it opened
	watchdog time.Duration // within which it wants to hear that all is well, 0 for never

	conn net.Conn // that it is told things by, nil if it does not want to be
	mu   sync.Mutex
}

// notifyEnv names the socket at which the manager listens.
const notifyEnv = "NOTIFY_SOCKET"

// findManager takes what a service manager has said out of the environment, so that
// no child gets it: neither the command of `run` nor what prints a key is the
// service.
func findManager() *manager {
	m := &manager{files: activation.Files(true)}
	m.watchdog, _ = daemon.SdWatchdogEnabled(true) // what is no number of ours is none
	address := os.Getenv(notifyEnv)
	os.Unsetenv(notifyEnv) // it cannot fail: there is no "=" in the name
	if address != "" {
		if conn, err := net.Dial("unixgram", address); err == nil {
			m.conn = conn
		}
	}
	return m
}

// sockets are the listeners that it opened. They are given once.
func (m *manager) sockets() (*sockets, error) {
	if m == nil {
		return new(sockets), nil
	}
	files := m.files
	m.files = nil
	return openSockets(files)
}

// tell sends assignments to the manager. What cannot be sent it
// notices by its own time limits.
func (m *manager) tell(assignments ...string) {
	if m == nil || m.conn == nil {
		return
	}
	var text []byte
	for _, a := range assignments {
		text = append(append(text, a...), '\n')
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = m.conn.Write(text)
}

// ready says that the proxy serves, by the configuration that status describes.
func (m *manager) ready(status string) { m.tell(daemon.SdNotifyReady, "STATUS="+status) }

// reloading says that the configuration is being read again; ready ends that.
func (m *manager) reloading() {
	m.tell(daemon.SdNotifyReloading, trimLine(daemon.SdNotifyMonotonicUsec()), "STATUS=Reading the configuration again")
}

// trimLine takes the line break away that go-systemd (22.7.0) has at the end.
func trimLine(assignment string) string {
	if n := len(assignment); n > 0 && assignment[n-1] == '\n' {
		return assignment[:n-1]
	}
	return assignment
}

// stopping says that the proxy ends, and takes so long at most.
func (m *manager) stopping(most time.Duration) {
	m.tell(daemon.SdNotifyStopping, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", most.Microseconds()), "STATUS=Finishing what is under way")
}

// alive answers the watchdog.
func (m *manager) alive() { m.tell(daemon.SdNotifyWatchdog) }
