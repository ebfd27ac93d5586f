package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"
)

// coldOwners asks about each of many owners once: for each a token is minted. It is also
// what happens when all tokens end together.
func coldOwners(ctx context.Context, p *peer) (result, error) {
	const n = 32
	queue := make(chan int, manyOwners)
	for i := range manyOwners {
		queue <- i
	}
	close(queue)
	return measured(p, func() (result, error) {
		return workers(n, func() (took []time.Duration, err error) {
			c, err := p.open(ctx, apiHost, &tls.Config{NextProtos: []string{"http/1.1"}})
			if err != nil {
				return nil, err
			}
			defer c.Close()
			for i := range queue {
				began := time.Now()
				if _, err := c.do(ofOwner(p, i)); err != nil {
					return took, err
				}
				took = append(took, time.Since(began))
			}
			return took, ctx.Err()
		})
	})
}

// cachedTokens is the memory that each token takes.
func cachedTokens(ctx context.Context, p *peer) (r result, err error) {
	before, err := p.process.memory()
	if err != nil {
		return r, err
	}
	if _, err := coldOwners(ctx, p); err != nil {
		return r, err
	}
	time.Sleep(time.Second) // what is pooled may be given back
	after, err := p.process.memory()
	r.idle = (after - before) / manyOwners
	return r, err
}

// crowd has many clients ask at once about an owner of whom nothing is known: whoever
// comes while a token is minted waits for that one.
func crowd(ctx context.Context, p *peer, n int) (result, error) {
	open := make(chan *conn, n)
	defer closeAll(open)
	conns := make([]*conn, n)
	for i := range conns {
		c, err := p.open(ctx, apiHost, &tls.Config{NextProtos: []string{"http/1.1"}})
		if err != nil {
			return result{}, err
		}
		conns[i] = c
		open <- c
	}
	var ready sync.WaitGroup
	ready.Add(n)
	next := make(chan *conn, n)
	for _, c := range conns {
		next <- c
	}
	return measured(p, func() (result, error) {
		return workers(n, func() ([]time.Duration, error) {
			c := <-next
			ready.Done()
			ready.Wait()
			began := time.Now()
			_, err := c.do(ofOwner(p, 0))
			return []time.Duration{time.Since(began)}, err
		})
	})
}

// scraped is a load while the metrics are read every second.
func scraped(ctx context.Context, p *peer, load func(context.Context, *peer) (result, error)) (result, error) {
	if p.admin == "" {
		return load(ctx, p)
	}
	ctx, cancel := context.WithCancel(ctx)
	failed := make(chan error, 1)
	go func() {
		var err error
		for err == nil && ctx.Err() == nil {
			err = scrape(p.admin)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
		failed <- err
	}()
	r, err := load(ctx, p)
	cancel()
	return r, errors.Join(err, <-failed)
}

// scrape reads the metrics from a Unix socket.
func scrape(socket string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New("metrics: " + resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// adminSocket is that of a variant that has one.
func (v variant) adminSocket(dir string) string {
	if v.admin {
		return filepath.Join(dir, "admin.sock")
	}
	return ""
}
