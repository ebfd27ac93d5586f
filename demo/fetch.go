package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"ghapp-proxy/cli"
)

// fetcher stands in for curl where that is not installed.
type fetcher struct{ client *http.Client }

func newFetcher(ctx context.Context, config, proxy string) (*fetcher, error) {
	var ca bytes.Buffer
	if status := cli.Run(ctx, []string{"ca", "--config", config}, &ca, os.Stderr); status != 0 {
		return nil, fmt.Errorf("ghapp-proxy ca ended with status %d", status)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.Bytes()) {
		return nil, fmt.Errorf("ghapp-proxy ca printed no certificate")
	}
	address, err := url.Parse(proxy)
	if err != nil {
		return nil, err
	}
	return &fetcher{&http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{Proxy: http.ProxyURL(address), TLSClientConfig: &tls.Config{RootCAs: roots}},
	}}, nil
}

// fetch does what the curl command of the request does.
func (f *fetcher) fetch(ctx context.Context, r request) error {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, nil)
	if err != nil {
		return err
	}
	if r.authorization != "" {
		req.Header.Set("Authorization", r.authorization)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	out := io.Discard
	if r.show {
		out = os.Stdout
	}
	_, err = io.Copy(out, resp.Body)
	return err
}
