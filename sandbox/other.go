//go:build !linux

package sandbox

import (
	"errors"
	"net"
	"os"
)

// ErrNotHere is why there is no sandbox on this system.
var ErrNotHere = &Error{Doing: "make namespaces", Err: errors.ErrUnsupported, Remedy: "only Linux has them; here, run the tool in a container whose network leads to the proxy alone (docs/sandbox.md)"}

// Sandbox is not to be had here.
type Sandbox struct {
	Listeners []net.Listener
	Packets   []net.PacketConn
	Shared    string
}

// Start fails.
func Start(Options) (*Sandbox, error) { return nil, ErrNotHere }

// Ready fails.
func (s *Sandbox) Ready() error { return ErrNotHere }

// Run fails.
func (s *Sandbox) Run(Spec) (status int, err error) { return 0, ErrNotHere }

// Signal does nothing.
func (s *Sandbox) Signal(os.Signal) error { return ErrNotHere }

// Close does nothing.
func (s *Sandbox) Close() {}

// Init fails.
func Init([]string) int { return 125 }

// Check says that there is no sandbox here.
func Check() []Finding { return []Finding{{What: "namespaces", Err: ErrNotHere}} }

// Inside is false.
func Inside() bool { return false }

// OutsideSockets finds none.
func OutsideSockets() []string { return nil }
