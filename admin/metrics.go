package admin

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/event"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	namespace = "ghapp_proxy"
	// maxKeys bounds the label by, over all reloads: the configuration does already.
	maxKeys = 10000
	// otherKey is what is over that.
	otherKey = "(other)"
	// maxScrapes is how many scrapes are answered at once.
	maxScrapes    = 4
	scrapeTimeout = 10 * time.Second
)

var (
	// The proxy takes some hundred microseconds, GitHub some hundred milliseconds.
	ownBuckets    = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1}
	githubBuckets = []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	queueBuckets  = []float64{.001, .01, .1, .5, 1, 2.5, 5, 10}
)

// Metrics are what Events come to, for Prometheus. Its labels have the values that
// the configuration or this package has, never what a client or GitHub sends. It is
// made by NewMetrics, and safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	handler  http.Handler

	requests                 *prometheus.CounterVec
	received, tunnelBytes    *prometheus.CounterVec
	tunnels, refusals, led   *prometheus.CounterVec
	answers                  *prometheus.CounterVec
	own, github, took, queue prometheus.ObserverVec

	byRoute [routes]struct{ own, github, took prometheus.Observer }
	queued  prometheus.Observer
	codes   sync.Map // GitHub's status → its prometheus.Counter

	clients sync.Map // name → *clientMetrics

	mu     sync.RWMutex
	denied map[denial]prometheus.Counter
}

// clientMetrics are the children of one client, looked up once.
type clientMetrics struct {
	requests       [routes][len(credentialNames)][len(statusNames)]atomic.Pointer[prometheus.Counter]
	received       prometheus.Counter
	tunnels        prometheus.Counter
	sent, returned prometheus.Counter // by tunnels
}

// denial is what refusals are counted by.
type denial struct{ by, decision, kind string }

// NewMetrics returns Metrics of nothing yet. state, if it is not nil, is asked at each
// scrape; version is that of the build.
func NewMetrics(state func() State, version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), denied: make(map[denial]prometheus.Counter)}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(h)
		return h
	}
	m.requests = counter("requests_total", "Requests that have ended, and CONNECTs that came to nothing, by what the client was answered.", "client", "route", "credential", "status")
	m.refusals = counter("refusals_total", "What the proxy did not forward, by the key of the configuration that decided (empty for none), by what was decided and by the kind of its answer (RFC 9209).", "by", "decision", "kind")
	m.answers = counter("github_responses_total", "Answers of GitHub that were passed on, by its status; 0 for one that is not registered.", "code")
	m.received = counter("response_bytes_total", "Bytes of answers' bodies that clients were sent.", "client")
	m.tunnels = counter("tunnels_total", "Tunnels to hosts that are not served, which have ended.", "client")
	m.led = counter("transparent_total", "Requests, tunnels and refusals of clients that do not know of the proxy: their connection was to the host.", "client")
	m.tunnelBytes = counter("tunnel_bytes_total", "Bytes that passed tunnels which have ended: sent to the host, received by the client.", "client", "direction")
	m.own = histogram("own_duration_seconds", "The proxy's own share of a request: without GitHub's, without its client's, and without the passing of bodies.", ownBuckets, "route")
	m.github = histogram("github_duration_seconds", "GitHub's share of a request that was forwarded: until the head of its answer, and what it took to get a credential.", githubBuckets, "route")
	m.took = histogram("request_duration_seconds", "Requests from their head to the end of their answer, bodies included.", githubBuckets, "route")
	m.queue = histogram("queue_duration_seconds", "How long requests waited for their turn among those of their client.", queueBuckets)
	m.queued = m.queue.With(nil)
	for i, name := range routeNames {
		m.byRoute[i].own, m.byRoute[i].github, m.byRoute[i].took = m.own.WithLabelValues(name), m.github.WithLabelValues(name), m.took.WithLabelValues(name)
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newBuildInfo(version),
	)
	if state != nil {
		m.registry.MustRegister(stateCollector{state})
	}
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout, EnableOpenMetrics: true})
	return m
}

// ServeHTTP implements http.Handler: a scrape.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }

// Count counts an Event that has ended. It is one of the proxy's Options.Events.
func (m *Metrics) Count(e *event.Event) {
	c, route := m.client(e.Client), routeOf(e)
	c.of(m, e.Client, route, credentialOf(e), statusOf(e.Status)).Inc()
	if e.Decision == event.Refused || e.Decision == event.Failed {
		m.refused(e).Inc()
	}
	if e.Transparent {
		m.led.WithLabelValues(clientOf(e.Client)).Inc()
	}
	if e.Kind == event.Tunnel {
		c.tunnels.Inc()
		c.sent.Add(float64(e.Sent))
		c.returned.Add(float64(e.Received))
		return
	}
	c.received.Add(float64(e.Received))
	if e.Kind != event.Request || e.Early {
		return
	}
	by := &m.byRoute[route]
	by.took.Observe(e.Duration.Seconds())
	by.own.Observe(e.Own.Seconds())
	m.queued.Observe(e.Queued.Seconds())
	if e.Decision == event.Forwarded {
		by.github.Observe(e.GitHub.Seconds())
	}
	if e.GitHubStatus != 0 {
		m.code(codeOf(e.GitHubStatus)).Inc()
	}
}

// client returns the children of a client.
func (m *Metrics) client(name string) *clientMetrics {
	if c, ok := m.clients.Load(name); ok {
		return c.(*clientMetrics)
	}
	label := clientOf(name)
	c, _ := m.clients.LoadOrStore(name, &clientMetrics{
		received: m.received.WithLabelValues(label), tunnels: m.tunnels.WithLabelValues(label),
		sent: m.tunnelBytes.WithLabelValues(label, "sent"), returned: m.tunnelBytes.WithLabelValues(label, "received"),
	})
	return c.(*clientMetrics)
}

// of returns the counter of requests of a kind.
func (c *clientMetrics) of(m *Metrics, client string, route, credential, status int) prometheus.Counter {
	known := &c.requests[route][credential][status]
	if counter := known.Load(); counter != nil {
		return *counter
	}
	counter := m.requests.WithLabelValues(clientOf(client), routeNames[route], credentialNames[credential], statusNames[status])
	known.Store(&counter)
	return counter
}

// code returns the counter of a status of GitHub's.
func (m *Metrics) code(status int) prometheus.Counter {
	if c, ok := m.codes.Load(status); ok {
		return c.(prometheus.Counter)
	}
	c, _ := m.codes.LoadOrStore(status, m.answers.WithLabelValues(strconv.Itoa(status)))
	return c.(prometheus.Counter)
}

// refused returns the counter of what did not leave for the same reason.
func (m *Metrics) refused(e *event.Event) prometheus.Counter {
	d := denial{by: keyOf(e), decision: string(e.Decision)}
	if refusal := answer.Of(e.Err); refusal != nil {
		d.kind = string(refusal.Code)
	}
	m.mu.RLock()
	c, ok := m.denied[d]
	m.mu.RUnlock()
	if ok {
		return c
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.denied) >= maxKeys {
		d.by = otherKey
	}
	c = m.refusals.WithLabelValues(d.by, d.decision, d.kind)
	m.denied[d] = c
	return c
}
