package proxy_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/githubtest"
)

// echo answers with parts of the credential that the request came with, as a
// debug page would.
func echo(write func(w http.ResponseWriter, authorization string)) githubtest.Fault {
	return githubtest.Fault{
		Match: func(r *githubtest.Request) bool { return !strings.Contains(r.Path(), "access_tokens") },
		Do: func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { write(w, r.Header.Get("Authorization")) })
		},
	}
}

// TestGuard: an answer that contains what it was asked with ends before it does.
func TestGuard(t *testing.T) {
	const api, git = "https://api.github.com/repos/acme/widgets", "https://github.com/acme/widgets/info/refs?service=git-upload-pack"
	padding := strings.Repeat("x", 40<<10)
	token := func(authorization string) string { return authorization[strings.Index(authorization, " ")+1:] }
	for name, test := range map[string]struct {
		url   string
		write func(w http.ResponseWriter, authorization string)
		cut   bool
	}{
		"in a field":                  {api, func(w http.ResponseWriter, a string) { w.Header().Set("X-Debug", "got "+a) }, true},
		"in the body":                 {api, func(w http.ResponseWriter, a string) { io.WriteString(w, "you sent "+a) }, true},
		"in the body of git's answer": {git, func(w http.ResponseWriter, a string) { io.WriteString(w, a) }, true},
		"in two pieces": {api, func(w http.ResponseWriter, a string) {
			a = token(a)
			io.WriteString(w, padding+a[:len(a)/2])
			w.(http.Flusher).Flush()
			io.WriteString(w, a[len(a)/2:])
		}, true},
		"octet by octet": {api, func(w http.ResponseWriter, a string) {
			for _, c := range []byte("you sent " + a + padding) {
				w.Write([]byte{c})
				w.(http.Flusher).Flush()
			}
		}, true},
		"in a trailer": {api, func(w http.ResponseWriter, a string) {
			w.Header().Set("Trailer", "X-Debug")
			io.WriteString(w, "fine")
			w.Header().Set("X-Debug", a)
		}, true},
		"in a body of no coding, in capitals": {api, func(w http.ResponseWriter, a string) {
			w.Header().Set("Content-Encoding", "IDENTITY")
			io.WriteString(w, "you sent "+a)
		}, true},
		"in a body whose coding is empty": {api, func(w http.ResponseWriter, a string) {
			w.Header()["Content-Encoding"] = []string{""}
			io.WriteString(w, "you sent "+a)
		}, true},
		"in a body that is not in the coding it names": {api, func(w http.ResponseWriter, a string) {
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, "you sent "+a)
		}, true},
		"not quite": {api, func(w http.ResponseWriter, a string) {
			a = token(a)
			io.WriteString(w, a[:len(a)-1])
			w.(http.Flusher).Flush()
			io.WriteString(w, "!"+a[1:]+a[:12])
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, nil)
			w.github.Inject(echo(test.write))
			resp, err := w.client(t, false).Get(test.url)
			if err != nil {
				if !test.cut || !strings.Contains(w.log.String(), "level=ERROR") {
					t.Errorf("%v\n%s", err, w.log)
				}
				return // before anything had left
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if leaks := w.github.Leaks(body); len(leaks) > 0 || len(w.github.Leaks([]byte(resp.Trailer.Get("X-Debug")))) > 0 {
				t.Errorf("the client got the credential: %q", body)
			}
			cut := err != nil || resp.StatusCode == http.StatusBadGateway
			if cut != test.cut || cut != strings.Contains(w.log.String(), "level=ERROR") {
				t.Errorf("status %d, body of %d octets, %v; cut: %v, want %v\n%s", resp.StatusCode, len(body), err, cut, test.cut, w.log)
			}
		})
	}
}

// TestGuardHeads: what comes before an answer, or in place of one that can be
// read, does not bring the client what it was asked with, nor the log.
func TestGuardHeads(t *testing.T) {
	for name, test := range map[string]struct{ answer, want string }{
		"an interim field":        {"HTTP/1.1 103 Early Hints\r\nLink: </$>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200"},
		"a field's name":          {"HTTP/1.1 200 OK\r\nX-$: 1\r\nContent-Length: 2\r\n\r\nok", "502"},
		"an interim field's name": {"HTTP/1.1 102 Processing\r\nX-$: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200"},
		"a protocol":              {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: $\r\n\r\n", "502"},
		"a version":               {"$ 200 OK\r\n\r\n", "502"},
		"a status":                {"HTTP/1.1 $\r\n\r\n", "502"},
		"a field without colon":   {"HTTP/1.1 200 OK\r\nX-Debug $\r\n\r\n", "502"},
		"a length":                {"HTTP/1.1 200 OK\r\nContent-Length: $\r\n\r\n", "502"},
		"a transfer coding":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: $\r\n\r\n", "502"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, nil)
			w.github.Inject(echo(func(w http.ResponseWriter, a string) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				io.WriteString(conn, strings.ReplaceAll(test.answer, "$", a[strings.Index(a, " ")+1:]))
			}))
			conn := w.intercepted(t, "api.github.com", nil)
			conn.SetDeadline(time.Now().Add(soon))
			io.WriteString(conn, "GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\nConnection: close\r\n\r\n")
			answer, _ := io.ReadAll(conn)
			if !bytes.HasPrefix(answer, []byte("HTTP/1.1 "+test.want)) {
				t.Errorf("the client got %q, want %s", answer, test.want)
			}
			if leaks := w.github.Leaks(answer); len(leaks) > 0 {
				t.Errorf("the client got the credential: %q", answer)
			}
			if log := w.log.String(); len(w.github.Leaks([]byte(log))) > 0 || !strings.Contains(log, "level=ERROR") {
				t.Errorf("the log has the credential, or does not tell:\n%s", log)
			}
		})
	}
}

func TestGuardFingerprint(t *testing.T) {
	w := start(t, nil)
	source := auth.New(apps(t, w.github), auth.Options{Transport: w.github.Transport()})
	defer source.Close()
	cred, err := source.ForOwner(t.Context(), "github.com", github.Account{Login: "acme"}, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := cred.Fingerprint(); len(got) != 44 || len(w.github.Leaks([]byte(got))) > 0 {
		t.Errorf("Fingerprint = %q, want the base64 of 32 octets", got)
	}
}

// TestGuardFindsKeys: a key that somebody has committed does not reach the
// client, as GitHub hands it out or in PKCS#8.
func TestGuardFindsKeys(t *testing.T) {
	const url, path = "https://raw.githubusercontent.com/acme/widgets/main/app.pem", "/acme/widgets/main/app.pem"
	w := start(t, nil)
	pkcs1 := w.github.App("ci-bot").PrivateKeyPEM()
	key, err := auth.ParseKey(pkcs1)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	var file []byte
	w.github.Handle("raw.githubusercontent.com", path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(file) }))
	for name, test := range map[string]struct {
		file  []byte
		found bool
	}{
		"PKCS#1":             {pkcs1, true},
		"PKCS#8":             {pkcs8, true},
		"in a .env file":     {[]byte(`KEY="` + strings.ReplaceAll(string(pkcs1), "\n", `\n`) + `"`), true},
		"its end":            {pkcs1[len(pkcs1)/2:], true},
		"with other lines":   {bytes.ReplaceAll(pkcs1, []byte("\n"), []byte("\r\n")), true},
		"the public key":     {pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), false},
		"another App's":      {w.github.App("release-bot").PrivateKeyPEM(), false}, // whose credential did not leave
		"behind much else":   {append(bytes.Repeat([]byte("x"), 60<<10), pkcs1...), true},
		"what looks alike":   {bytes.ToUpper(pkcs1), false},
		"its first quarter":  {pkcs1[:len(pkcs1)/4], false},
		"in base64, as text": {[]byte(base64.StdEncoding.EncodeToString(pkcs1)), false},
	} {
		file = test.file
		for _, h2 := range []bool{false, true} {
			resp, err := w.client(t, h2).Get(url)
			if err != nil {
				if !test.found {
					t.Errorf("%s: %v", name, err)
				}
				continue // it ended before anything had left
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			whole := err == nil && bytes.Equal(body, test.file)
			if whole == test.found || test.found && bytes.Contains(body, test.file[len(test.file)-200:]) {
				t.Errorf("%s, h2 %v: the client got %d of %d octets, %v; want it to be found: %v", name, h2, len(body), len(test.file), err, test.found)
			}
		}
	}
	if !strings.Contains(w.log.String(), "level=ERROR") {
		t.Errorf("the log does not tell:\n%s", w.log)
	}
}
