package proxy

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"strings"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

const (
	// sealedPrefix begins a placeholder that contains what it stands for. Like
	// GitHub's own tokens (docs.github.com "About authentication to GitHub") it has
	// letters, digits, "-" and "_", and no certain length.
	sealedPrefix = placeholderPrefix + "_"
	// maxSealed bounds such a placeholder. Clients and what they use have limits on
	// fields: one that would be longer is kept by the proxy.
	maxSealed = 2 << 10
)

// seal returns the token that contains a placeholder, "" if it cannot be made or
// would be too long.
func (g *gateway) seal(ctx context.Context, p *placeholder) string {
	text := binary.AppendUvarint(nil, uint64(p.installation))
	text = binary.AppendUvarint(text, uint64(p.expires.Unix()))
	text = append(text, deflate(p.narrow.String())...)
	sealed, err := g.opts.Credentials.Seal(ctx, string(p.instance), p.app, text, p.client)
	if err != nil {
		return ""
	}
	token := sealedPrefix + base64.RawURLEncoding.EncodeToString(sealed)
	if len(token) > maxSealed {
		return ""
	}
	return token
}

// unseal returns what a token contains if it is good for the client and the
// instance, else nil.
func (g *gateway) unseal(ctx context.Context, token string, instance github.Instance, client string) *placeholder {
	encoded, ok := strings.CutPrefix(token, sealedPrefix)
	if !ok {
		return nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || base64.RawURLEncoding.EncodeToString(sealed) != encoded {
		return nil // another spelling would be another token to who revokes it
	}
	app, text, ok := g.opts.Credentials.Open(ctx, string(instance), sealed, client)
	if !ok {
		return nil
	}
	installation, n := binary.Uvarint(text)
	expires, m := binary.Uvarint(text[max(n, 0):])
	if n <= 0 || m <= 0 {
		return nil
	}
	narrow, err := auth.ParseNarrowing(inflate(text[n+m:]))
	if err != nil {
		return nil
	}
	p := &placeholder{
		token: token, instance: instance, client: client, app: app,
		installation: github.InstallationID(installation), narrow: narrow, expires: time.Unix(int64(expires), 0),
	}
	if !time.Now().Before(p.expires) {
		return nil
	}
	return p
}

// deflate is shorter where names repeat.
func deflate(text string) []byte {
	if text == "" {
		return nil
	}
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression) // the level is one
	_, _ = w.Write([]byte(text))                       // to memory, which does not fail
	_ = w.Close()
	return b.Bytes()
}

// inflate reverts deflate. We made what it gets.
func inflate(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	inflated, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(text)), maxTokenRequest))
	if err != nil {
		return "-" // no narrowing
	}
	return string(inflated)
}

// revokedKey is what a revoked token is filed under.
func revokedKey(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }
