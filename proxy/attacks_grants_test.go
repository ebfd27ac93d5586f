package proxy_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/grant"
)

// written is a grant whose body somebody has written, with the checksum that belongs to it.
func written(body []byte) string {
	sum := crc32.ChecksumIEEE(append([]byte(grant.Prefix), body...))
	return grant.Prefix + base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(bytes.Clone(body), sum))
}

// bodyOfGrant is what written takes.
func bodyOfGrant(t *testing.T, g *grant.Grant) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(g.Text(), grant.Prefix))
	if err != nil {
		t.Fatal(err)
	}
	return b[:len(b)-4]
}

// withLink is a grant with one more link, as everybody can sign one who holds the grant.
func withLink(body []byte, link string) []byte {
	before := len(body) - sha256.Size
	mac := hmac.New(sha256.New, body[before:])
	mac.Write([]byte(link))
	more := binary.BigEndian.AppendUint16(bytes.Clone(body[:before]), uint16(len(link)))
	return mac.Sum(append(more, link...))
}

// TestAttackGrants: who holds a grant for one repository, and knows how grants are written,
// makes none of it that is good for more, by whichever way it is sent.
func TestAttackGrants(t *testing.T) {
	w, by := grants(t)
	ours := by.make(t, grant.Caveats{Repositories: []string{"acme/widgets"}, Purpose: "CANARY-PURPOSE"})
	if status, _, text := w.askedAs(t, w.clientAs(t, "agent", ours.Text(), true), grantedURL); status != 200 {
		t.Fatal(status, text)
	}
	body := bodyOfGrant(t, ours)
	own := &granting{keys: grant.Keys{grant.NewKey()}}
	foreign := bodyOfGrant(t, own.make(t, grant.Caveats{}))
	withID := bytes.Clone(foreign)
	copy(withID[1:9], body[1:9]) // the id of the root key
	renamed := bytes.Replace(body, []byte("\x05agent"), []byte("\x05other"), 1)
	emptied := bytes.Replace(body, []byte(`["acme/widgets"]`), []byte(`["acme/*"      ]`), 1)
	unlimited := bytes.Replace(body, []byte(`"repositories":["acme/widgets"]`), []byte(`"purpose":"xxxxxxxxxxxxxxxxxxx"`), 1)
	wider, err := ours.Narrow(grant.Caveats{Repositories: []string{"*/*"}, Expires: time.Now().Add(1000 * time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	lessThan := func(c grant.Caveats) string { return by.make(t, c).Text() }
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	gone := by.make(t, grant.Caveats{})
	id := gone.ID()
	by.revoked.Store(&id)
	ofGone, err := gone.Narrow(grant.Caveats{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	forged := map[string]string{
		"its own root key":              written(foreign),
		"its own, under the id of ours": written(withID),
		"another client's name":         written(renamed),
		"more repositories":             written(emptied),
		"no repositories":               written(unlimited),
		"no links":                      written(append(bytes.Clone(body[:31]), body[len(body)-32:]...)),
		"no signature":                  written(body[:len(body)-32]),
		"the signature twice":           written(append(bytes.Clone(body), body[len(body)-32:]...)),
		"a link by two lengths":         written(withLink(body, `{"read_only":true}`)[:len(body)+10]),
		"a link that is nothing":        written(withLink(body, ``)),
		"a link that is null":           written(withLink(body, `null`)),
		"a link that is a list":         written(withLink(body, `[]`)),
		"a caveat that nobody knows":    written(withLink(body, `{"administrator":true}`)),
		"a caveat in capitals":          written(withLink(body, `{"Repositories":["*/*"]}`)),
		"a caveat twice":                written(withLink(body, `{"read_only":true,"read_only":false}`)),
		"a caveat with a space":         written(withLink(body, `{"read_only": true}`)),
		"a purpose for a log":           written(withLink(body, `{"purpose":"x\nlevel=ERROR msg=owned"}`)),
		"a purpose for a terminal":      written(withLink(body, `{"actor":"\u001b[2J"}`)),
		"no checksum":                   grant.Prefix + base64.RawURLEncoding.EncodeToString(body),
		"base64 with ends":              ours.Text() + "==",
		"huge":                          ours.Text() + strings.Repeat("A", 20<<10),
	}
	limited := map[string]string{
		"a wider link":           wider.Text(),
		"a wider link, by hand":  written(withLink(body, `{"repositories":["*/*"]}`)),
		"an empty link":          written(withLink(body, `{}`)),
		"expired":                lessThan(grant.Caveats{Expires: in(-time.Second)}),
		"for years":              lessThan(grant.Caveats{Expires: in(100 * 24 * time.Hour)}),
		"not yet":                lessThan(grant.Caveats{NotBefore: in(time.Minute)}),
		"of elsewhere":           lessThan(grant.Caveats{Networks: []string{"192.0.2.0/24"}}),
		"of nowhere":             lessThan(grant.Caveats{Networks: []string{}}),
		"revoked":                gone.Text(),
		"of one that is revoked": ofGone.Text(),
	}
	for range 20 {
		body = withLink(body, `{"repositories":["acme/widgets"]}`)
	}
	forged["many links"] = written(body)
	w.github.Reset()
	nobody := func(status int) bool {
		return status == http.StatusProxyAuthRequired || status == http.StatusTooManyRequests
	}
	for name, text := range forged {
		for _, authorization := range []string{"Bearer " + text, basicAuth("agent", text), basicAuth("other", text), basicAuth("", text)} {
			if status := w.rockets(t, authorization); !nobody(status) {
				t.Errorf("%s: %d", name, status)
			}
		}
		if got := w.swap(t, text, accessType); got.Token != "" {
			t.Errorf("%s is exchanged", name)
		}
	}
	for name, text := range limited {
		for _, authorization := range []string{"Bearer " + text, basicAuth("agent", text), basicAuth("", text)} {
			if status := w.rockets(t, authorization); status != http.StatusForbidden {
				t.Errorf("%s: %d", name, status)
			}
		}
		if status := w.rockets(t, basicAuth("other", text)); !nobody(status) {
			t.Errorf("%s, as another client: %d", name, status)
		}
		if got := w.swap(t, text, accessType, "scope", "repositories:acme/*"); got.Token != "" && w.rockets(t, "Bearer "+got.Token) != http.StatusForbidden {
			t.Errorf("%s is wider when it is exchanged", name)
		}
	}
	if n := len(w.github.Requests()); n > 0 {
		t.Errorf("%d requests left", n)
	}
	logs := w.log.String() + w.auditText()
	for _, secret := range []string{grant.Prefix, "msg=owned", "\x1b"} {
		if strings.Contains(logs, secret) {
			t.Errorf("%q is in a log", secret)
		}
	}
	if status, _, text := w.askedAs(t, w.clientAs(t, "agent", ours.Text(), true), grantedURL); status != 200 {
		t.Errorf("the grant itself, afterwards: %d %s", status, text)
	}
}

// rockets is the status that who sends the Proxy-Authorization gets of another repository, or
// of the proxy before.
func (w *world) rockets(t *testing.T, authorization string) int {
	t.Helper()
	req, err := http.NewRequest("GET", "http://api.github.com/repos/acme/rockets", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Proxy-Authorization", authorization)
	resp, err := w.client(t, false).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
