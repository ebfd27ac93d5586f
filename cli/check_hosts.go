package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"ghapp-proxy/github"
	"ghapp-proxy/proxy"
)

const (
	// smallSkew is what a clock may be off without a word.
	smallSkew = 5 * time.Second
	// largeSkew is from when on GitHub's clock is not made up for: see package auth.
	largeSkew = 24 * time.Hour
	// certificateNotice is how long before its end a server's certificate is worth a
	// word: most are renewed weeks before.
	certificateNotice = 7 * 24 * time.Hour
)

// checkHosts says which of the hosts that are served can be reached, by which way,
// and what time it is there.
func (x *examination) checkHosts(ctx context.Context) []finding {
	hosts := servedHosts(x.cfg)
	found := make([][]finding, len(hosts))
	var asking sync.WaitGroup
	for i, host := range hosts {
		asking.Go(func() { found[i] = x.checkHost(ctx, host) })
	}
	asking.Wait()
	var list []finding
	for _, of := range found {
		list = append(list, of...)
	}
	return list
}

// checkHost asks a host for anything, without a credential. Whatever it answers, it
// has been reached.
func (x *examination) checkHost(ctx context.Context, host github.Host) (list []finding) {
	way := x.way(host.Name)
	var resp *http.Response
	var took time.Duration
	err := x.ask(ctx, func(ctx context.Context) error {
		req := (&http.Request{
			Method: http.MethodHead, URL: &url.URL{Scheme: "https", Host: host.Name, Path: "/"},
			Header: http.Header{"User-Agent": {userAgent}},
		}).WithContext(ctx)
		start := time.Now()
		answer, err := x.upstream.Transport().RoundTrip(req)
		if err != nil {
			return err
		}
		took = time.Since(start)
		resp = answer
		return answer.Body.Close()
	})
	if slow, is := errors.AsType[slowError](err); is {
		return []finding{bad("check the network, and which proxy is on the way", host.Name, "%v (tried %s)", slow, way)}
	}
	if err != nil {
		reason, remedy := proxy.Blame(err, host.Name)
		return []finding{bad(remedy, host.Name, "%s (tried %s)", strings.TrimPrefix(reason, host.Name+" "), way)}
	}
	end := resp.TLS.PeerCertificates[0].NotAfter
	text := fmt.Sprintf("reached %s, with a certificate that is good until %s", way, end.Format(time.DateOnly))
	if time.Until(end) < certificateNotice {
		list = append(list, dubious("ask those who run it to renew the certificate", host.Name, "%s", text))
	} else {
		list = append(list, good(host.Name, "%s", text))
	}
	if host.Name == host.Instance.APIURL().Host {
		list = append(list, clockFindings(host.Name, resp.Header, took)...)
	}
	return list
}

// clockFindings compares the Date of an answer (RFC 9110, section 6.6.1), which took
// that long, with this machine's clock.
func clockFindings(host string, header http.Header, took time.Duration) []finding {
	theirs, err := http.ParseTime(header.Get("Date"))
	if err != nil || header.Get("Age") != "" { // of a cache (RFC 9111, section 5.1)
		return nil
	}
	const remedy = "set the clock of this machine, and keep it right by NTP"
	ahead := time.Until(theirs.Add(took/2 + time.Second/2)).Round(time.Second) // Date is cut to seconds
	where, by := "behind", -ahead
	if ahead > 0 {
		where, by = "ahead of", ahead
	}
	switch {
	case by <= smallSkew:
		return []finding{good("clock", "agrees with that of %s", host)}
	case by < largeSkew:
		return []finding{dubious(remedy, "clock", "that of %s is %v %s this machine's, which is made up for", host, by, where)}
	}
	return []finding{bad(remedy, "clock", "that of %s is %v %s this machine's: GitHub refuses what is signed here", host, by, where)}
}
