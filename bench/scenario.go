package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// scenario is a load, and the peers that it goes through.
type scenario struct {
	name  string
	peers []string
	fresh bool // each peer is started for it
	load  func(context.Context, *peer) (result, error)
}

// scenarios are those of the table, in its order.
func scenarios(s *settings) []*scenario {
	both := []string{direct, nginx, shipped}
	all := both
	if s.goproxy { // whose interception speaks no HTTP/2 by default, and resumes no session
		all = append(all[:len(all):len(all)], goproxyCommand)
	}
	if s.squid {
		all = append(all[:len(all):len(all)], squid)
	}
	closed := func(connections int, request maker) func(context.Context, *peer) (result, error) {
		return func(ctx context.Context, p *peer) (result, error) {
			return closedLoop(ctx, p, connections, warmUp, s.duration, request)
		}
	}
	list := []*scenario{
		{name: "h1 x1", peers: all, load: closed(1, small)},
		{name: "h1 x32", peers: all, load: closed(32, small)},
		{name: "h1 x32, 100 KB", peers: all, load: closed(32, large)},
		{name: "h2 x32", peers: both, load: func(ctx context.Context, p *peer) (result, error) { return http2Loop(ctx, p, 32, s.duration) }},
		{name: "500 requests/s", peers: all, load: func(ctx context.Context, p *peer) (result, error) { return steady(ctx, p, 500, s.duration) }},
		{name: "new connection", peers: all, load: func(ctx context.Context, p *peer) (result, error) { return connections(ctx, p, false, s.duration) }},
		{name: "new connection, resumed", peers: both, load: func(ctx context.Context, p *peer) (result, error) { return connections(ctx, p, true, s.duration) }},
		{name: "clone", peers: all, load: func(ctx context.Context, p *peer) (result, error) {
			return bulk(ctx, p, gitHost, fmt.Sprintf("/acme/widgets.git/git-upload-pack?bytes=%d", s.bulk), s.bulk)
		}},
		{name: "push", peers: all, load: func(ctx context.Context, p *peer) (result, error) { return push(ctx, p, s.bulk) }},
		{name: "tunnel", peers: []string{nginx, shipped}, load: func(ctx context.Context, p *peer) (result, error) { return tunnelled(ctx, p, s.bulk) }},
		{name: "5,000 idle connections", peers: []string{nginx, shipped}, fresh: true, load: func(ctx context.Context, p *peer) (result, error) { return idle(ctx, p, 5000) }},
	}
	for _, name := range []string{audit, limits, rules, clients, metrics} {
		list = append(list, &scenario{name: "h1 x32, " + name, peers: []string{nginx, shipped, name}, load: func(ctx context.Context, p *peer) (result, error) {
			return scraped(ctx, p, closed(32, small))
		}})
	}
	for _, with := range []struct {
		name string
		load func(context.Context, *peer) (result, error)
	}{
		{"h1 x32, ", closed(32, small)},
		{"new connection, ", func(ctx context.Context, p *peer) (result, error) { return connections(ctx, p, false, s.duration) }},
		{"clone, ", func(ctx context.Context, p *peer) (result, error) {
			return bulk(ctx, p, gitHost, fmt.Sprintf("/acme/widgets.git/git-upload-pack?bytes=%d", s.bulk), s.bulk)
		}},
	} {
		if os.Getuid() != 0 {
			break // it listens on port 443
		}
		list = append(list, &scenario{name: with.name + led, peers: []string{nginx, shipped, led}, load: with.load})
	}
	return append(list,
		&scenario{name: "h1 x32, " + owners, peers: []string{nginx, shipped, owners}, load: func(ctx context.Context, p *peer) (result, error) {
			if p.name == owners {
				return closedLoop(ctx, p, 32, manyOwners, s.duration, ofOwner) // the tokens are there then
			}
			return closedLoop(ctx, p, 32, warmUp, s.duration, small)
		}},
		&scenario{name: "15,000 mints", peers: []string{owners}, fresh: true, load: coldOwners},
		&scenario{name: "15,000 tokens in memory", peers: []string{owners}, fresh: true, load: cachedTokens},
		&scenario{name: "500 clients, a cold owner", peers: []string{owners}, fresh: true, load: func(ctx context.Context, p *peer) (result, error) { return crowd(ctx, p, 500) }},
		&scenario{name: "GraphQL x32", peers: all, load: closed(32, graphQL)},
	)
}

// measured runs a load, and adds what it cost the peer.
func measured(p *peer, load func() (result, error)) (result, error) {
	var before, after float64
	var err error
	if p.process != nil {
		if before, err = p.process.cpu(); err != nil {
			return result{}, err
		}
	}
	r, err := load()
	if err != nil {
		return r, err
	}
	if p.process != nil {
		if after, err = p.process.cpu(); err != nil {
			return result{}, err
		}
		r.cpu = after - before
	}
	return r, nil
}

// workers runs n of them at the same time, each until it returns how long its
// requests took.
func workers(n int, work func() ([]time.Duration, error)) (result, error) {
	var mu sync.Mutex
	var r result
	var failed error
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			took, err := work()
			mu.Lock()
			defer mu.Unlock()
			r.took, failed = append(r.took, took...), cmp.Or(failed, err)
		})
	}
	all.Wait()
	slices.Sort(r.took)
	return r, failed
}

// maker writes the i-th request for a peer.
type maker func(p *peer, i int) []byte

// warmUp is how many requests are sent before it is measured.
const warmUp = 1000

// closedLoop sends on so many connections one request after the other: first warm of
// them, and then for as long as d.
func closedLoop(ctx context.Context, p *peer, n, warm int, d time.Duration, request maker) (result, error) {
	idle := make(chan *conn, n)
	defer closeAll(idle)
	for range n {
		c, err := p.open(ctx, apiHost, &tls.Config{NextProtos: []string{"http/1.1"}})
		if err != nil {
			return result{}, err
		}
		idle <- c
	}
	var count atomic.Int64
	loop := func(goOn func(i int, now time.Time) bool) (result, error) {
		return workers(n, func() (took []time.Duration, err error) {
			c := <-idle
			defer func() { idle <- c }()
			for began := time.Now(); ctx.Err() == nil; {
				i := int(count.Add(1)) - 1
				if !goOn(i, began) {
					break
				}
				if _, err := c.do(request(p, i)); err != nil {
					return took, err
				}
				now := time.Now()
				took, began = append(took, now.Sub(began)), now
			}
			return took, nil
		})
	}
	if r, err := loop(func(i int, _ time.Time) bool { return i < warm }); err != nil {
		return r, err
	}
	return measured(p, func() (result, error) {
		end := time.Now().Add(d)
		return loop(func(_ int, now time.Time) bool { return now.Before(end) })
	})
}

func closeAll(idle chan *conn) {
	for range len(idle) {
		(<-idle).Close()
	}
}

// steady begins so many requests a second, whether or not those before have ended:
// what waits for its turn counts as taking longer.
func steady(ctx context.Context, p *peer, rate int, d time.Duration) (result, error) {
	const n = 32
	due := make(chan time.Time, rate*int(d/time.Second+1))
	idle := make(chan *conn, n)
	defer closeAll(idle)
	for range n {
		c, err := p.open(ctx, apiHost, &tls.Config{NextProtos: []string{"http/1.1"}})
		if err != nil {
			return result{}, err
		}
		idle <- c
	}
	var count atomic.Int64
	return measured(p, func() (result, error) {
		go func() {
			defer close(due)
			began := time.Now()
			for next := began; next.Sub(began) < d && ctx.Err() == nil; next = next.Add(time.Second / time.Duration(rate)) {
				time.Sleep(time.Until(next))
				due <- next
			}
		}()
		return workers(n, func() (took []time.Duration, err error) {
			c := <-idle
			defer func() { idle <- c }()
			for began := range due {
				if _, err := c.do(small(p, int(count.Add(1)))); err != nil {
					return took, err
				}
				took = append(took, time.Since(began))
			}
			return took, nil
		})
	})
}

// connections opens one for each request.
func connections(ctx context.Context, p *peer, resumed bool, d time.Duration) (result, error) {
	var count atomic.Int64
	return measured(p, func() (result, error) {
		end := time.Now().Add(d)
		return workers(8, func() (took []time.Duration, err error) {
			config := &tls.Config{NextProtos: []string{"http/1.1"}}
			if resumed {
				config.ClientSessionCache = tls.NewLRUClientSessionCache(8)
			}
			for i := 0; time.Now().Before(end) && ctx.Err() == nil; i++ {
				began := time.Now()
				c, err := p.open(ctx, apiHost, config)
				if err != nil {
					return took, err
				}
				_, err = c.do(small(p, int(count.Add(1))))
				did := c.ConnectionState().DidResume
				c.Close()
				if err != nil {
					return took, err
				}
				if resumed && i > 0 && !did {
					return took, errors.New("the TLS session was not resumed")
				}
				took = append(took, time.Since(began))
			}
			return took, nil
		})
	})
}

// http2Loop sends so many requests at once on one connection.
func http2Loop(ctx context.Context, p *peer, n int, d time.Duration) (result, error) {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP2(true)
	transport.DialTLSContext = func(ctx context.Context, _, _ string) (c net.Conn, err error) {
		return p.dial(ctx, apiHost, &tls.Config{NextProtos: []string{"h2"}})
	}
	defer transport.CloseIdleConnections()
	var count atomic.Int64
	get := func() error {
		req, err := http.NewRequestWithContext(ctx, "GET", "https://"+apiHost+page(int(count.Add(1))), nil)
		if err != nil {
			return err
		}
		if p.process == nil {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
			err = errors.New(resp.Status)
		}
		return err
	}
	if err := get(); err != nil {
		return result{}, err
	}
	return measured(p, func() (result, error) {
		end := time.Now().Add(d)
		return workers(n, func() (took []time.Duration, err error) {
			for began := time.Now(); began.Before(end) && ctx.Err() == nil; {
				if err := get(); err != nil {
					return took, err
				}
				now := time.Now()
				took, began = append(took, now.Sub(began)), now
			}
			return took, nil
		})
	})
}

// bulk fetches one large body.
func bulk(ctx context.Context, p *peer, host, target string, size int64) (result, error) {
	c, err := p.open(ctx, host, &tls.Config{NextProtos: []string{"http/1.1"}})
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	return measured(p, func() (result, error) {
		began := time.Now()
		got, err := c.do(p.request("GET", strings.TrimSuffix(host, ":443"), target, 0))
		if err == nil && got != size {
			err = fmt.Errorf("%d bytes arrived of %d", got, size)
		}
		return result{bytes: got, took: []time.Duration{time.Since(began)}}, err
	})
}

// push sends one large body in chunks, as git does.
func push(ctx context.Context, p *peer, size int64) (result, error) {
	c, err := p.open(ctx, gitHost, &tls.Config{NextProtos: []string{"http/1.1"}})
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	head := bytes.Replace(p.request("POST", gitHost, "/acme/widgets.git/git-receive-pack", 0), []byte("\r\n\r\n"),
		[]byte("\r\nContent-Type: application/x-git-receive-pack-request\r\nTransfer-Encoding: chunked\r\n\r\n"), 1)
	chunk := slices.Concat(fmt.Appendf(nil, "%x\r\n", len(block)), block, []byte("\r\n"))
	return measured(p, func() (result, error) {
		began := time.Now()
		if _, err := c.Write(head); err != nil {
			return result{}, err
		}
		for sent := int64(0); sent < size; sent += int64(len(block)) {
			if _, err := c.Write(chunk); err != nil {
				return result{}, err
			}
		}
		if _, err := c.do([]byte("0\r\n\r\n")); err != nil {
			return result{}, err
		}
		return result{bytes: size, took: []time.Duration{time.Since(began)}}, nil
	})
}

// tunnelled fetches a large body from a host that is not served. For nginx, which has
// no tunnels, it is a clone.
func tunnelled(ctx context.Context, p *peer, size int64) (result, error) {
	if !p.connect {
		return bulk(ctx, p, gitHost, fmt.Sprintf("/acme/widgets.git/git-upload-pack?bytes=%d", size), size)
	}
	return bulk(ctx, p, p.tunnelTo, fmt.Sprintf("/plain/download?bytes=%d", size), size)
}

// idle opens connections with one request each, and looks at the memory.
func idle(ctx context.Context, p *peer, n int) (r result, err error) {
	before, err := p.process.memory()
	if err != nil {
		return r, err
	}
	open := make(chan *conn, n)
	defer closeAll(open)
	for range n {
		c, err := p.open(ctx, apiHost, &tls.Config{NextProtos: []string{"http/1.1"}})
		if err != nil {
			return r, err
		}
		open <- c
		if _, err := c.do(small(p, 0)); err != nil {
			return r, err
		}
	}
	time.Sleep(time.Second) // what is pooled may be given back
	after, err := p.process.memory()
	r.idle = (after - before) / int64(n)
	return r, err
}
