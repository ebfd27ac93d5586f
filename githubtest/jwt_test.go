package githubtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sign makes a JWT of the claims with the key.
func sign(t testing.TB, keyPEM []byte, header string, claims map[string]any) string {
	t.Helper()
	block, _ := pem.Decode(keyPEM)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	input := enc([]byte(header)) + "." + enc(payload)
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + enc(sig)
}

const rs256 = `{"alg":"RS256","typ":"JWT"}`

// jwt makes a good JWT of the App.
func jwt(t testing.TB, a *App) string {
	t.Helper()
	now := time.Now().Unix()
	return sign(t, a.PrivateKeyPEM(), rs256, map[string]any{"iss": a.ID, "iat": now - 60, "exp": now + 540})
}

// answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any // nil if the body is no object
	list   []any          // nil if the body is no array
}

func (a answer) message() string {
	m, _ := a.json["message"].(string)
	return m
}

// do sends a request without following redirects.
func do(t testing.TB, s *Server, method, url, auth, body string, header ...string) answer {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := s.Client()
	defer client.CloseIdleConnections()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return readAnswer(t, resp)
}

func readAnswer(t testing.TB, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(b)}
	_ = json.Unmarshal(b, &a.json)
	_ = json.Unmarshal(b, &a.list)
	return a
}

// token mints a token of the installation.
func mintToken(t testing.TB, s *Server, installation int64) string {
	t.Helper()
	tok, err := s.MintToken(installation)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestJWT(t *testing.T) {
	s := Start(t, Options{})
	bot := s.App("ci-bot")
	other := s.App("release-bot")
	now := time.Now().Unix()
	base := func(change map[string]any) map[string]any {
		m := map[string]any{"iss": bot.ID, "iat": now - 60, "exp": now + 540}
		for k, v := range change {
			m[k] = v
			if v == nil {
				delete(m, k)
			}
		}
		return m
	}
	for _, tt := range []struct {
		name    string
		claims  map[string]any
		key     []byte
		header  string
		scheme  string
		status  int
		message string
	}{
		{name: "good", status: 200},
		{name: "scheme in lower case", scheme: "bearer", status: 200},
		{name: "iss as text", claims: map[string]any{"iss": "12345"}, status: 200},
		{name: "iss is the client id", claims: map[string]any{"iss": bot.ClientID}, status: 200},
		{name: "exp is a fraction", claims: map[string]any{"exp": float64(now) + 500.5}, status: 200},
		{name: "scheme token", scheme: "token", status: 401, message: msgJWTDecode},
		{name: "wrong key", key: other.PrivateKeyPEM(), status: 401, message: msgJWTDecode},
		{name: "wrong alg", header: `{"alg":"RS512"}`, status: 401, message: msgJWTDecode},
		{name: "alg none", header: `{"alg":"none"}`, status: 401, message: msgJWTDecode},
		{name: "unknown App", claims: map[string]any{"iss": 999}, status: 404, message: msgNoIntegration},
		{name: "malformed iss", claims: map[string]any{"iss": "ci-bot"}, status: 401, message: msgJWTIssuer},
		{name: "no iss", claims: map[string]any{"iss": nil}, status: 401, message: msgJWTNoIssuer},
		{name: "expired", claims: map[string]any{"exp": now - 1}, status: 401, message: msgJWTExp},
		{name: "exp is text", claims: map[string]any{"exp": "soon"}, status: 401, message: msgJWTExp},
		{name: "no exp", claims: map[string]any{"exp": nil}, status: 401, message: msgJWTExp},
		{name: "exp too far", claims: map[string]any{"exp": now + 630}, status: 401, message: msgJWTExpTooFar},
		{name: "iat in the future", claims: map[string]any{"iat": now + 30}, status: 401, message: msgJWTIat},
		{name: "iat a fraction", claims: map[string]any{"iat": float64(now) - 30.5}, status: 401, message: msgJWTIat},
		{name: "iat is text", claims: map[string]any{"iat": "now"}, status: 401, message: msgJWTIat},
		{name: "no iat", claims: map[string]any{"iat": nil}, status: 401, message: msgJWTIat},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key, header, scheme := bot.PrivateKeyPEM(), rs256, "Bearer"
			if tt.key != nil {
				key = tt.key
			}
			if tt.header != "" {
				header = tt.header
			}
			if tt.scheme != "" {
				scheme = tt.scheme
			}
			a := do(t, s, "GET", "https://api.github.com/app", scheme+" "+sign(t, key, header, base(tt.claims)), "")
			if a.status != tt.status || tt.message != "" && a.message() != tt.message {
				t.Errorf("GET /app = %d %s, want %d %q", a.status, a.body, tt.status, tt.message)
			}
		})
	}
}

func TestJWTKeyRotation(t *testing.T) {
	s := Start(t, Options{})
	bot := s.App("ci-bot")
	old := jwt(t, bot)
	if _, err := s.AddKey(bot); err != nil {
		t.Fatal(err)
	}
	for _, j := range []string{old, jwt(t, bot)} {
		if a := do(t, s, "GET", "https://api.github.com/app", "Bearer "+j, ""); a.status != 200 {
			t.Errorf("with two keys: %d %s, want 200", a.status, a.body)
		}
	}
	s.RemoveOldKeys(bot)
	if a := do(t, s, "GET", "https://api.github.com/app", "Bearer "+old, ""); a.message() != msgJWTDecode {
		t.Errorf("with the removed key: %d %s, want %s", a.status, a.body, msgJWTDecode)
	}
}

// basic is the value of Authorization for Basic (RFC 7617).
func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
