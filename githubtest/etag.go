package githubtest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// ETagFormula makes the opaque part of an ETag of what selects an answer, and of its body before it is
// compressed or printed for people.
type ETagFormula func(selects []string, body []byte) string

// GitHubETag is GitHub's formula, as github.com/bored-engineer/github-conditional-http-transport
// found it: the SHA-256 of Accept, Authorization and Cookie, as far as Vary names them and the request has them,
// with a colon behind each, and of the body.
func GitHubETag(selects []string, body []byte) string {
	text := new(bytes.Buffer)
	for _, value := range selects {
		text.WriteString(value + ":")
	}
	text.Write(body)
	sum := sha256.Sum256(text.Bytes())
	return hex.EncodeToString(sum[:])
}

// SetETagFormula changes how ETags are made from now on; nil is for GitHubETag.
func (s *Server) SetETagFormula(f ETagFormula) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.formula = f
}

// varies are the fields that GitHub's answers vary with.
const varies = "Accept, Authorization, Cookie, X-GitHub-OTP"

// notModified sets the ETag, which is good for this credential only, and answers
// 304 if the client has the same; that costs no quota:
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
func (c *call) notModified(h http.Header, body []byte) bool {
	var selects []string
	for _, name := range [...]string{"Accept", "Authorization", "Cookie"} {
		if value := c.r.Header.Get(name); value != "" {
			selects = append(selects, value)
		}
	}
	c.s.mu.Lock()
	formula := c.s.formula
	c.s.mu.Unlock()
	if formula == nil {
		formula = GitHubETag
	}
	tag := `"` + formula(selects, body) + `"`
	h.Set("ETag", tag)
	if c.compresses() {
		h.Set("ETag", "W/"+tag)
	}
	h.Set("Cache-Control", "private, max-age=60, s-maxage=60")
	h.Set("Vary", varies)
	for _, seen := range strings.Split(c.r.Header.Get("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(seen), "W/") == tag {
			c.s.refund(c)
			h.Del("Content-Type")
			c.w.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	return false
}

// compresses reports whether the body of the answer is going to be compressed.
func (c *call) compresses() bool {
	return c.s.opts.EncodeBodies && strings.Contains(c.r.Header.Get("Accept-Encoding"), "gzip")
}

// readers are in the User-Agent of whom GitHub prints JSON for to be read by people.
var readers = [...]string{"curl", "Wget", "Safari", "Firefox"}

// writeBody writes the head and the body of an answer.
func (c *call) writeBody(status int, body []byte) {
	h := c.w.Header()
	if c.s.opts.EncodeBodies {
		body = c.encodeBody(body)
	}
	if h.Get("Content-Encoding") == "" {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body)
}

// encodeBody makes a body one for people, or for who takes it compressed.
func (c *call) encodeBody(body []byte) []byte {
	for _, name := range readers {
		if strings.Contains(c.r.UserAgent(), name) && json.Valid(body) {
			var pretty bytes.Buffer
			_ = json.Indent(&pretty, body, "", "  ") // it is valid
			pretty.WriteByte('\n')
			body = pretty.Bytes()
			break
		}
	}
	if !c.compresses() {
		return body
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(body) // a Buffer takes all
	_ = z.Close()
	c.w.Header().Set("Content-Encoding", "gzip")
	return packed.Bytes()
}
