package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"ghapp-proxy/files"
)

const (
	maxCA     = 1 << 20 // bytes of certificates that are read
	fetchTime = 15 * time.Second
)

// readCA reads the certificates to trust from a file.
func readCA(path string) ([]byte, error) {
	all, _, err := files.Read(path, maxCA)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	text, err := certificates(bytes.NewReader(all))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

// fetchCA asks a proxy for its certificates. Nothing vouches for the answer but
// the network between: what a proxy shows that speaks TLS may be by the very CA that is
// asked for.
func fetchCA(ctx context.Context, proxy *url.URL) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	address := proxy.Scheme + "://" + proxy.Host + "/ca.pem"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // and no proxy
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch the proxy's certificate: %w: is it running there? --ca FILE takes the certificate from a file", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: is this the address of ghapp-proxy?", address, resp.Status)
	}
	text, err := certificates(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return text, nil
}

// certificates reads CA certificates in PEM, and nothing else.
func certificates(r io.Reader) (text []byte, err error) {
	all, err := io.ReadAll(io.LimitReader(r, maxCA+1))
	switch {
	case err != nil:
		return nil, err
	case len(all) > maxCA:
		return nil, errors.New("too long for certificates")
	}
	for block, rest := pem.Decode(all); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("it holds PEM of type %q, not just certificates", block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("a certificate in it is damaged")
		}
		if !cert.IsCA {
			return nil, fmt.Errorf("the certificate of %s is not a CA's", cert.Subject)
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
	}
	if text == nil {
		return nil, errors.New("it holds no certificate in PEM")
	}
	return text, nil
}
