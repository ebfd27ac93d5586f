package proxy

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"encoding/binary"
	"io"
	"strings"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// seal returns the token that contains a placeholder, "" if it cannot be made or
// would be too long.
func seal(ctx context.Context, source *auth.Source, p *placeholder) string {
	text := binary.AppendUvarint(nil, uint64(p.installation))
	text = binary.AppendUvarint(text, uint64(p.expires.Unix()))
	text = append(text, deflate(p.narrow.String())...)
	sealed, err := source.Seal(ctx, p.instance, p.app, text, p.client)
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
func unseal(ctx context.Context, source *auth.Source, token string, instance github.Instance, client string) *placeholder {
	encoded, ok := strings.CutPrefix(token, sealedPrefix)
	if !ok {
		return nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || base64.RawURLEncoding.EncodeToString(sealed) != encoded {
		return nil // another spelling would be another token to who revokes it
	}
	app, text, ok := source.Open(ctx, instance, sealed, client)
	if !ok {
		return nil
	}
	installation, n := binary.Uvarint(text)
	expires, m := binary.Uvarint(text[max(n, 0):])
	if n <= 0 || m <= 0 {
		return nil
	}
	narrow, err := github.ParseNarrowing(inflate(text[n+m:]))
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

// give gives p a token and a time to expire. What it stands for is in the token,
// unless that would be too long: then it is kept.
func (g *gateway) give(ctx context.Context, source *auth.Source, p *placeholder) {
	p.expires = time.Now().Add(placeholderLife).Truncate(time.Second)
	if p.token = seal(ctx, source, p); p.token == "" {
		g.placeholders.add(p)
	}
}

// findPlaceholder returns the placeholder of that token if it is good for the
// client and the instance, else nil.
func (g *gateway) findPlaceholder(ctx context.Context, source *auth.Source, token string, instance github.Instance, client string) *placeholder {
	if !strings.HasPrefix(token, sealedPrefix) {
		return g.placeholders.find(token, instance, client)
	}
	p := unseal(ctx, source, token, instance, client)
	if p == nil || g.placeholders.isRevoked(p) {
		return nil
	}
	return p
}
