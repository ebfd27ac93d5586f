package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// stubCommand makes this program the GitHub, in a process of its own.
const stubCommand = "stub"

// token is what the GitHub mints and insists on.
const token = "ghs_benchmark0123456789abcdefghijklmnop01"

// answerFields are about those that api.github.com sends with each answer.
var answerFields = map[string]string{
	"Content-Type":                  "application/json; charset=utf-8",
	"Cache-Control":                 "private, max-age=60, s-maxage=60",
	"Vary":                          "Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With",
	"Etag":                          `W/"1d0f2a8c4b6e3d5f7a9b0c1e2d3f4a5b6c7d8e9f0a1b2c3d4e5f6a7b8c9d0e1f"`,
	"Last-Modified":                 "Thu, 05 Jun 2025 10:21:07 GMT",
	"X-Github-Media-Type":           "github.v3; format=json",
	"X-Github-Api-Version-Selected": "2022-11-28",
	"X-Accepted-Github-Permissions": "metadata=read",
	"X-Ratelimit-Limit":             "15000",
	"X-Ratelimit-Remaining":         "14987",
	"X-Ratelimit-Reset":             "4102444800",
	"X-Ratelimit-Used":              "13",
	"X-Ratelimit-Resource":          "core",
	"Access-Control-Expose-Headers": "ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Used, X-RateLimit-Resource, X-RateLimit-Reset, X-OAuth-Scopes, X-Accepted-OAuth-Scopes, X-Poll-Interval, X-GitHub-Media-Type, X-GitHub-SSO, X-GitHub-Request-Id, Deprecation, Sunset",
	"Access-Control-Allow-Origin":   "*",
	"Strict-Transport-Security":     "max-age=31536000; includeSubdomains; preload",
	"X-Frame-Options":               "deny",
	"X-Content-Type-Options":        "nosniff",
	"X-Xss-Protection":              "0",
	"Referrer-Policy":               "origin-when-cross-origin, strict-origin-when-cross-origin",
	"Content-Security-Policy":       "default-src 'none'",
	"X-Github-Request-Id":           "C0DE:1F2E3:4D5C6B:7A8990:684AB1C3",
	"Server":                        "github.com",
}

// runStub serves until it is ended. Its arguments are an address, and the files of a
// certificate and its key.
func runStub(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: %s ADDRESS CERTIFICATE KEY", stubCommand)
	}
	cert, err := tls.LoadX509KeyPair(args[1], args[2])
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /app/installations/{id}/access_tokens", mint)
	mux.HandleFunc("GET /app/installations/{id}", installation)
	mux.HandleFunc("GET /installation/repositories", insist(repositories))
	mux.HandleFunc("/", insist(jsonOf(1<<10)))
	mux.HandleFunc("/repos/acme/widgets/contents/large", insist(jsonOf(100<<10)))
	mux.HandleFunc("/acme/widgets.git/git-upload-pack", insist(download))
	mux.HandleFunc("/acme/widgets.git/git-receive-pack", insist(upload))
	mux.HandleFunc("/plain/download", download) // of what is tunnelled
	server := &http.Server{
		Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
		ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
	}
	ln, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	return server.ServeTLS(ln, "", "")
}

// mint answers as "Create an installation access token for an app" does.
func mint(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(map[string]any{
		"token": token, "expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		"permissions": permissions, "repository_selection": "all",
	})
}

// permissions are the installations'.
var permissions = map[string]string{"contents": "write", "issues": "write", "metadata": "read"}

// installation answers as "Get an installation for the authenticated app" does.
func installation(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	json.NewEncoder(w).Encode(map[string]any{
		"id": id, "account": map[string]any{"login": "acme", "id": 1, "type": "Organization"},
		"permissions": permissions, "repository_selection": "all",
	})
}

// repositories answers as "List repositories accessible to the app installation" does.
func repositories(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	json.NewEncoder(w).Encode(map[string]any{
		"total_count": 1, "repositories": []any{map[string]any{"id": 1, "name": "widgets", "full_name": "acme/widgets"}},
	})
}

// insist lets through what has the credential.
func insist(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, password, ok := r.BasicAuth(); ok && password == token || r.Header.Get("Authorization") == "Bearer "+token {
			next(w, r)
			return
		}
		http.Error(w, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
	}
}

// jsonOf answers with so many bytes of JSON, when it has read the request's body.
func jsonOf(size int) http.HandlerFunc {
	var text bytes.Buffer
	text.WriteString(`{"items":[`)
	for i := 0; text.Len() < size-200; i++ {
		fmt.Fprintf(&text, `{"id":%d,"url":"https://api.github.com/repos/acme/widgets/issues/%d","title":"Found a bug"},`, i, i)
	}
	fmt.Fprintf(&text, `{"id":0}],"rest":"%s"}`, strings.Repeat("x", size-text.Len()-len(`{"id":0}],"rest":""}`)))
	fields := make(http.Header)
	for name, value := range answerFields {
		fields[name] = []string{value}
	}
	fields["Content-Length"] = []string{strconv.Itoa(text.Len())}
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			io.Copy(io.Discard, r.Body)
		}
		for name, values := range fields {
			w.Header()[name] = values
		}
		w.Write(text.Bytes())
	}
}

// block is what large bodies consist of.
var block = bytes.Repeat([]byte{0x78, 0x9c, 0x0b, 0xf1, 0x00, 0xff, 0x13, 0x37}, 64<<10/8)

// download answers with ?bytes=N, in chunks, as git's answers are.
func download(w http.ResponseWriter, r *http.Request) {
	left, err := strconv.ParseInt(r.URL.Query().Get("bytes"), 10, 64)
	if err != nil {
		http.Error(w, "bytes is missing", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
	for left > 0 {
		n, err := w.Write(block[:min(left, int64(len(block)))])
		if left -= int64(n); err != nil {
			return
		}
	}
}

// upload reads a body and says how long it was.
func upload(w http.ResponseWriter, r *http.Request) {
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 64<<10))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%020d", n)
}
