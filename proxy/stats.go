package proxy

// Stats are what a Proxy is doing at one moment.
type Stats struct {
	Requests    int   // under way, CONNECTs included
	Tunnels     int   // open
	RecordsLost int64 // that the audit log could not be given, since the start
	Clients     []ClientStats
}

// ClientStats are what a client uses at one moment.
type ClientStats struct {
	Client      string // its name, "" for who is no client
	Connections int
	Requests    int // under way
	Waiting     int // requests and connections that wait for their turn
}

// Stats says what the Proxy is doing, by client in no order.
func (p *Proxy) Stats() Stats {
	p.tunnels.mu.Lock()
	stats := Stats{Requests: int(p.underway.Load()), Tunnels: len(p.tunnels.open), RecordsLost: p.events.Lost()}
	p.tunnels.mu.Unlock()
	for name, who := range p.current.Load().callers {
		stats.Clients = append(stats.Clients, who.usage.stats(name))
	}
	return stats
}

func (u *usage) stats(name string) ClientStats {
	u.mu.Lock()
	defer u.mu.Unlock()
	return ClientStats{
		Client: name, Connections: len(u.slots), Requests: int(u.requests.running.Load()),
		Waiting: u.queued + int(u.requests.waiting.Load()),
	}
}
