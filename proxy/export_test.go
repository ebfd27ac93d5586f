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

// FlushRecords waits until what was recorded is written.
func (p *Proxy) FlushRecords() { p.events.Flush() }

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

// GitHubHead is the head of an answer as GitHub's API sends them, but for its length.
const GitHubHead = "HTTP/1.1 200 OK\r\n" +
	"Server: github.com\r\n" +
	"Date: Thu, 05 Jun 2025 10:21:07 GMT\r\n" +
	"Content-Type: application/json; charset=utf-8\r\n" +
	"Cache-Control: private, max-age=60, s-maxage=60\r\n" +
	"Vary: Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With\r\n" +
	"ETag: W/\"1d0f2a8c4b6e3d5f7a9b0c1e2d3f4a5b6c7d8e9f0a1b2c3d4e5f6a7b8c9d0e1f\"\r\n" +
	"X-GitHub-Media-Type: github.v3; format=json\r\n" +
	"x-github-api-version-selected: 2022-11-28\r\n" +
	"X-RateLimit-Limit: 15000\r\n" +
	"X-RateLimit-Remaining: 14987\r\n" +
	"X-RateLimit-Reset: 4102444800\r\n" +
	"X-RateLimit-Used: 13\r\n" +
	"X-RateLimit-Resource: core\r\n" +
	"Access-Control-Expose-Headers: ETag, Link, Location, Retry-After\r\n" +
	"Access-Control-Allow-Origin: *\r\n" +
	"Strict-Transport-Security: max-age=31536000; includeSubdomains; preload\r\n" +
	"X-Frame-Options: deny\r\n" +
	"X-Content-Type-Options: nosniff\r\n" +
	"X-XSS-Protection: 0\r\n" +
	"Referrer-Policy: origin-when-cross-origin, strict-origin-when-cross-origin\r\n" +
	"Content-Security-Policy: default-src 'none'\r\n" +
	"X-GitHub-Request-Id: C0DE:1F2E3:4D5C6B:7A8990:684AB1C3\r\n"
