package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"ghapp-proxy/files"
	"ghapp-proxy/grant"
	"ghapp-proxy/oidc"

	"github.com/spf13/cobra"
)

const (
	// fromActions is the source of the tokens of a job of GitHub Actions.
	fromActions = "github-actions"
	// maxTokenAnswer bounds what is answered to who asks for a token, in bytes.
	maxTokenAnswer = 64 << 10
)

// oidcFlags say which token is exchanged for a grant.
type oidcFlags struct {
	source, audience, client, scope string
}

func (f *oidcFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.source, "oidc", "", "exchange a token for a grant at the proxy: `where` it is, a file, env:NAME, or github-actions for that of this job")
	flags.StringVar(&f.audience, "audience", "ghapp-proxy", "whom the token of --oidc github-actions is `for`")
	flags.StringVar(&f.client, "client", "", "the `name` of the client that the token is, where it fits several")
	flags.StringVar(&f.scope, "scope", "", "`limits` of the grant besides, as \"read_only ttl:10m\"")
}

// exchange puts a grant for the token into the proxy's URL. The CA is what a proxy that
// speaks TLS shows.
func (f *oidcFlags) exchange(ctx context.Context, proxy *url.URL, ca []byte) error {
	if proxy.User != nil {
		return errors.New("--oidc: the proxy's URL has a password already")
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	token, err := f.token(ctx)
	if err != nil {
		return fmt.Errorf("--oidc: %w", err)
	}
	if !oidc.Is(token) {
		return errors.New("--oidc: what is there is not a token")
	}
	form := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
		"subject_token": {token}, "client_id": {f.client}, "scope": {f.scope},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, proxy.JoinPath("token").String(), strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var says struct {
		Token       string `json:"access_token"`
		Description string `json:"error_description"`
	}
	roots, err := rootCAs(ca)
	if err != nil {
		return err
	}
	status, err := answerOf(req, &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}, &says) // and no proxy
	if unknown := new(x509.UnknownAuthorityError); errors.As(err, unknown) && ca == nil {
		return fmt.Errorf("exchange the token at the proxy: %w: --ca FILE says who may have the token", err)
	}
	if err != nil {
		return fmt.Errorf("exchange the token at the proxy: %w", err)
	}
	g, err := grant.Parse(says.Token)
	if err != nil {
		return fmt.Errorf("exchange the token at the proxy: %s", cmp.Or(says.Description, fmt.Sprintf("status %d: is this the address of ghapp-proxy?", status)))
	}
	proxy.User = url.UserPassword(g.Client, says.Token)
	return nil
}

// token reads the token. It is in no argument: others would see it there.
func (f *oidcFlags) token(ctx context.Context) (string, error) {
	if f.source == fromActions {
		return f.actionsToken(ctx)
	}
	if name, ok := strings.CutPrefix(f.source, "env:"); ok {
		token := os.Getenv(name)
		if token == "" {
			return "", fmt.Errorf("$%s is empty", name)
		}
		return strings.TrimSpace(token), nil
	}
	if oidc.Is(f.source) {
		return "", errors.New("that is a token itself, which others can see there: name a file, or env:NAME")
	}
	text, _, err := files.Read(f.source, oidc.MaxText)
	return string(bytes.TrimSpace(text)), err
}

// actionsToken asks the runner for the token of this job: docs.github.com, "OpenID
// Connect reference", requesting the token with environment variables.
func (f *oidcFlags) actionsToken(ctx context.Context) (string, error) {
	at, err := url.Parse(os.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"))
	if err != nil || at.Scheme != "https" {
		return "", errors.New("there is no $ACTIONS_ID_TOKEN_REQUEST_URL: the job needs permissions: { id-token: write }")
	}
	query := at.Query()
	query.Set("audience", f.audience)
	at.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+os.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
	var says struct {
		Value string `json:"value"`
	}
	status, err := answerOf(req, &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}, &says)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return "", fmt.Errorf("ask for the token of this job: %w", err)
	}
	return says.Value, nil
}

// answerOf sends a request, and reads the JSON of its answer.
func answerOf(req *http.Request, way http.RoundTripper, says any) (status int, err error) {
	client := http.Client{Transport: way, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenAnswer))
	if err == nil && json.Unmarshal(text, says) != nil {
		err = fmt.Errorf("%s answers with status %d, and no JSON", req.URL.Host, resp.StatusCode)
	}
	return resp.StatusCode, err
}
