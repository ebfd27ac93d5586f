package proxy

import "time"

// SetStalls sets for how long a client may send nothing of a body, and take
// nothing of an answer.
func (o *Options) SetStalls(send, take time.Duration) { o.stalls = stalls{send, take} }

// Connections is how many connections count for a client.
func (p *Proxy) Connections(client string) int {
	u := p.current.Load().callers[client].usage
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.slots)
}

// Requests is how many requests count for a client.
func (p *Proxy) Requests(client string) int {
	return int(p.current.Load().callers[client].usage.requests.running.Load())
}

// StopAudit is Replace with no audit log, and the rest as it is.
func (p *Proxy) StopAudit() {
	c := p.current.Load().parts
	c.Audit = nil
	p.Replace(c)
}

// ReplacePolicy is Replace with the rest as it is.
func (p *Proxy) ReplacePolicy(next Policy) (ended int) {
	c := p.current.Load().parts
	c.Policy = next
	return p.Replace(c)
}

// Configured is the Configuration in force.
func (p *Proxy) Configured() Configuration { return p.current.Load().parts }

// HelloFor is the ClientHello that Go's client sends.
var HelloFor = helloFor
