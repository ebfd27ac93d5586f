package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"ghapp-proxy/panics"
)

// fetch asks the issuer for its keys, and closes done.
func (k *keys) fetch(done chan struct{}) {
	list, err := k.fetched()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err = err; err == nil {
		k.have, k.at = list, k.now()
	}
	k.done = nil
	close(done)
}

func (k *keys) fetched() (list []key, err error) {
	defer panics.Catch(&err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	at := k.of.JWKSURL
	if at == "" {
		if at, err = k.discover(ctx); err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
	}
	text, err := k.get(ctx, at)
	if err != nil {
		return nil, err
	}
	return parseKeys(text, k.of)
}

// discover finds out where the keys are: OpenID Connect Discovery 1.0, section 4.
func (k *keys) discover(ctx context.Context) (string, error) {
	text, err := k.get(ctx, strings.TrimSuffix(k.of.URL, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return "", err
	}
	var says struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(text, &says); err != nil {
		return "", errors.New("not JSON")
	}
	if says.Issuer != k.of.URL { // section 4.3
		return "", errors.New("it is the configuration of another issuer")
	}
	if err := CheckURL(says.JWKSURI); err != nil {
		return "", fmt.Errorf("jwks_uri: %w", err)
	}
	return says.JWKSURI, nil
}

// get reads a document.
func (k *keys) get(ctx context.Context, at string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers with status %d", req.URL.Host, resp.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err == nil && len(text) > maxDocument {
		err = fmt.Errorf("%s answers with more than %d KiB", req.URL.Host, maxDocument>>10)
	}
	return text, err
}
