package proxy

import (
	"time"

	"ghapp-proxy/replay"
)

const (
	headTimeout = 30 * time.Second // for the TLS handshake and for a request's head
	idleTimeout = 3 * time.Minute  // between requests
	maxHead     = 128 << 10        // bytes of a request's head; GitHub refuses less
	maxFrame    = 64 << 10         // bytes of an HTTP/2 frame: net/http keeps room for the largest that came
)

// maxReplay bounds the body that is kept to be sent again.
const maxReplay = replay.Max
