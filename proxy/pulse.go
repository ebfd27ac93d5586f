package proxy

import (
	"net"
	"time"
)

// silence is for how long the other end of a connection may acknowledge
// nothing before the path to it is taken for dead. Whoever waits for an answer
// over a connection that lives may wait for longer.
const silence = 20 * time.Second

// keepAlive notices within d that a path is dead on which nothing is under way.
func keepAlive(d time.Duration) net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: d / 2, Interval: d / 4, Count: 2}
}
