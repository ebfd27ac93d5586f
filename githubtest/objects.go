package githubtest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// blob is content in a file, by its SHA-256: a release asset or an LFS object.
type blob struct {
	path string
	size int64
}

// signature is what a signed URL allows.
type signature struct {
	oid         string // SHA-256 of the content
	upload      bool
	contentType string
	name        string // file name to suggest
}

// store reads content to its end and keeps it. s.mu must not be held.
func (s *Server) store(r io.Reader) (oid string, size int64, err error) {
	f, err := os.CreateTemp(s.dir, "blob-")
	if err != nil {
		return "", 0, err
	}
	sum := sha256.New()
	size, err = io.Copy(io.MultiWriter(f, sum), r)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", 0, errors.Join(err, os.Remove(f.Name()))
	}
	oid = hex.EncodeToString(sum.Sum(nil))
	path := filepath.Join(s.dir, oid)
	if err := os.Rename(f.Name(), path); err != nil {
		return "", 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.blobs[oid] = &blob{path, size}
	return oid, size, nil
}

// sign makes a signed URL. s.mu is held.
func (s *Server) sign(sig signature) string {
	key := randomText(64, "0123456789abcdef")
	s.world.signed[key] = &sig
	return fmt.Sprintf("https://%s/github-production-release-asset/%s?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=300&X-Amz-Signature=%s",
		signedHost, sig.oid, key)
}

// serveObject answers at a signed URL, as S3 does: it refuses an Authorization
// besides the signature.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (InvalidArgument)
func (c *call) serveObject() {
	if c.r.Header.Get("Authorization") != "" {
		c.s3Error(http.StatusBadRequest, "InvalidArgument",
			"Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified")
		return
	}
	c.s.mu.Lock()
	sig := c.s.world.signed[c.r.URL.Query().Get("X-Amz-Signature")]
	var b *blob
	if sig != nil {
		b = c.s.world.blobs[sig.oid]
	}
	c.s.mu.Unlock()
	switch {
	case sig == nil || !strings.HasSuffix(c.path, "/"+sig.oid):
		c.s3Error(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
	case sig.upload && c.r.Method == http.MethodPut:
		c.putObject(sig)
	case !sig.upload && b != nil && (c.r.Method == http.MethodGet || c.r.Method == http.MethodHead):
		c.getObject(sig, b)
	default:
		c.s3Error(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	}
}

func (c *call) s3Error(status int, code, message string) {
	c.w.Header().Set("Content-Type", "application/xml")
	c.w.WriteHeader(status)
	_, _ = fmt.Fprintf(c.w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}

func (c *call) putObject(sig *signature) {
	oid, _, err := c.s.store(c.r.Body)
	if err != nil || oid != sig.oid {
		c.s3Error(http.StatusBadRequest, "BadDigest", "The content does not match the checksum.")
		return
	}
	c.w.WriteHeader(http.StatusOK)
}

func (c *call) getObject(sig *signature, b *blob) {
	f, err := os.Open(b.path)
	if err != nil {
		c.s3Error(http.StatusInternalServerError, "InternalError", "Please try again.")
		return
	}
	defer f.Close()
	h := c.w.Header()
	h.Set("Content-Type", sig.contentType)
	if sig.name != "" {
		h.Set("Content-Disposition", "attachment; filename="+sig.name)
	}
	h.Set("ETag", `"`+sig.oid+`"`)
	// ServeContent answers ranges, too.
	http.ServeContent(c.w, c.r, "", c.s.world.epoch, f)
}
