package githubtest

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// workflow is .github/workflows/ci.yml of a repository.
type workflow struct {
	id   int64
	name string
	path string
	runs []*workflowRun
}

// workflowRun is a run that has ended, of one job.
type workflowRun struct {
	id, job   int64
	workflow  *workflow
	number    int64
	branch    string
	event     string
	actor     *Account
	created   time.Time
	logs      string // SHA-256 of the archive
	artifacts []*artifact
}

// artifact is an archive that a run has left.
type artifact struct {
	id   int64
	run  *workflowRun
	name string
	oid  string
	size int64
}

// artifactHost serves archives of artifacts and logs as signed URLs. It is no
// host of GitHub:
// https://docs.github.com/en/actions/reference/runners/self-hosted-runners#accessible-domains-by-function
const artifactHost = "productionresultssa0.blob.core.windows.net"

// archive is a zip file of the files.
func archive(files ...file) (*bytes.Buffer, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		to, err := w.Create(f.path)
		if err != nil {
			return nil, err
		}
		if _, err := to.Write([]byte(f.content)); err != nil {
			return nil, err
		}
	}
	return &b, w.Close()
}

// seedActions gives acme/widgets a workflow, its run and what that has left.
func (s *Server) seedActions() error {
	var oids []string
	var sizes []int64
	for _, files := range [][]file{
		{{"build/1_Build.txt", "2024-01-02T03:04:05.0000000Z widgets are built\n"}},
		{{"widgets.txt", "widgets, built\n"}},
	} {
		b, err := archive(files...)
		if err != nil {
			return fmt.Errorf("make archive: %w", err)
		}
		oid, size, err := s.store(b)
		if err != nil {
			return fmt.Errorf("store archive: %w", err)
		}
		oids, sizes = append(oids, oid), append(sizes, size)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.world.repos[WidgetsID]
	wf := &workflow{id: s.world.newID(), name: "CI", path: ".github/workflows/ci.yml"}
	run := &workflowRun{
		id: s.world.newID(), job: s.world.newID(), workflow: wf, number: 1, branch: defaultBranch, event: "push",
		actor: s.world.account("octocat"), created: s.clock().UTC().Truncate(time.Second), logs: oids[0],
	}
	run.artifacts = []*artifact{{id: s.world.newID(), run: run, name: "widgets", oid: oids[1], size: sizes[1]}}
	wf.runs = append(wf.runs, run)
	r.workflows = append(r.workflows, wf)
	return nil
}

// signArchive makes a URL with a shared access signature. s.mu is held.
// https://learn.microsoft.com/en-us/rest/api/storageservices/create-service-sas
func (s *Server) signArchive(oid, name string) string {
	key := randomText(44, alphanumeric)
	s.world.signed[key] = &signature{oid: oid, contentType: "application/zip", name: name + ".zip"}
	query := url.Values{
		"se": {s.clock().Add(10 * time.Minute).UTC().Format(time.RFC3339)}, "sig": {key},
		"sp": {"r"}, "spr": {"https"}, "sr": {"b"}, "sv": {"2025-11-05"},
	}
	return fmt.Sprintf("https://%s/actions-results/%s?%s", artifactHost, oid, query.Encode())
}

// serveArchive answers at a signed URL as Azure's storage does: an Authorization
// besides the signature is an error.
// https://learn.microsoft.com/en-us/rest/api/storageservices/common-rest-api-error-codes
func (c *call) serveArchive() {
	if c.r.Header.Get("Authorization") != "" {
		c.s3Error(http.StatusBadRequest, "InvalidAuthenticationInfo",
			"Authentication information is not given in the correct format. Check the value of Authorization header.")
		return
	}
	c.s.mu.Lock()
	sig := c.s.world.signed[c.r.URL.Query().Get("sig")]
	var b *blob
	if sig != nil {
		b = c.s.world.blobs[sig.oid]
	}
	c.s.mu.Unlock()
	if b == nil || sig.upload || !strings.HasSuffix(c.path, "/"+sig.oid) || c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		c.s3Error(http.StatusForbidden, "AuthenticationFailed",
			"Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.")
		return
	}
	c.getObject(sig, b)
}
