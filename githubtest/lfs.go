package githubtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// lfsMedia is the media type of the LFS API:
// https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
const lfsMedia = "application/vnd.git-lfs+json"

type lfsObject struct {
	OID  string `json:"oid"`
	Size int64  `json:"size"`
}

// serveLFS answers below /{owner}/{repo}.git/info/lfs/.
func (c *call) serveLFS(rest string) {
	body, err := io.ReadAll(io.LimitReader(c.r.Body, maxAPIBody))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	var batch struct {
		Operation string      `json:"operation"`
		Objects   []lfsObject `json:"objects"`
	}
	bad := len(body) > 0 && json.Unmarshal(body, &batch) != nil
	push := batch.Operation == "upload" || rest == "locks/verify"
	if _, refused := c.authorizeGit(push); refused != nil {
		c.refuseLFS(rest, refused)
		return
	}
	switch {
	case bad:
		c.lfs(http.StatusUnprocessableEntity, obj{"message": "Problems parsing JSON"})
	case c.r.Method == http.MethodPost && rest == "objects/batch":
		c.lfs(http.StatusOK, c.lfsBatch(batch.Operation, batch.Objects))
	case c.r.Method == http.MethodPost && rest == "locks/verify":
		c.lfs(http.StatusOK, obj{"ours": []any{}, "theirs": []any{}, "next_cursor": ""})
	case c.r.Method == http.MethodGet && rest == "locks":
		c.lfs(http.StatusOK, obj{"locks": []any{}, "next_cursor": ""})
	default:
		c.lfs(http.StatusNotFound, obj{"message": "Not Found"})
	}
}

func (c *call) refuseLFS(rest string, f *refusal) {
	switch f.status {
	case http.StatusMovedPermanently:
		c.w.Header().Set("Location", fmt.Sprintf("%s/%s.git/info/lfs/%s", c.in.web, f.moved, rest))
		f.status = http.StatusTemporaryRedirect
	case http.StatusUnauthorized:
		c.w.Header().Set("LFS-Authenticate", `Basic realm="GitHub"`)
	}
	c.lfs(f.status, obj{"message": f.message, "documentation_url": "https://docs.github.com/repositories/working-with-files/managing-large-files"})
}

func (c *call) lfs(status int, v obj) {
	b, err := encode(v)
	if err != nil {
		panic(err) // maps of what JSON has
	}
	c.w.Header().Set("Content-Type", lfsMedia)
	c.w.WriteHeader(status)
	_, _ = c.w.Write(b)
}

func (c *call) lfsBatch(operation string, objects []lfsObject) obj {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	var out []any
	for _, o := range objects {
		stored := c.s.world.blobs[o.OID]
		j := obj{"oid": o.OID, "size": o.Size}
		switch {
		case operation == "upload" && stored == nil:
			j["authenticated"] = true
			j["actions"] = c.lfsUpload(o)
		case operation == "download" && stored == nil:
			j["error"] = obj{"code": http.StatusNotFound, "message": "Object does not exist on the server"}
		case operation == "download":
			j["authenticated"] = true
			j["actions"] = c.lfsDownload(o)
		}
		out = append(out, j)
	}
	return obj{"transfer": "basic", "hash_algo": "sha256", "objects": out}
}

func (c *call) lfsDownload(o lfsObject) obj {
	if c.in.server {
		return obj{"download": c.stored(o, "")}
	}
	return obj{"download": obj{
		"href":       c.s.sign(signature{oid: o.OID, contentType: "application/octet-stream"}),
		"expires_in": 3600,
	}}
}

// lfsUpload is the actions of an upload: the content goes to a signed URL, and
// the verification to a host with a credential of its own, which must survive.
func (c *call) lfsUpload(o lfsObject) obj {
	if c.in.server {
		return obj{"upload": c.stored(o, ""), "verify": c.stored(o, "/verify")}
	}
	return obj{
		"upload": obj{
			"href":       c.s.sign(signature{oid: o.OID, upload: true}),
			"header":     obj{"X-Amz-Content-Sha256": o.OID},
			"expires_in": 3600,
		},
		"verify": obj{
			"href":       fmt.Sprintf("https://%s/%s/verify", lfsHost, c.repo.fullName()),
			"header":     obj{"Authorization": c.s.remoteAuth(), "Accept": lfsMedia},
			"expires_in": 3600,
		},
	}
}

// storedPath is where an Enterprise Server keeps objects, on its own host.
const storedPath = "/storage/lfs/"

// stored is an action at an Enterprise Server. s.mu is held.
func (c *call) stored(o lfsObject, action string) obj {
	return obj{
		"href":       fmt.Sprintf("%s%s%d/objects/%s%s", c.in.web, storedPath, c.repo.id, o.OID, action),
		"header":     obj{"Authorization": c.s.remoteAuth()},
		"expires_in": 3600,
	}
}

// serveStored answers below storedPath.
func (c *call) serveStored() {
	if strings.HasSuffix(c.path, "/verify") {
		c.serveLFSVerify()
		return
	}
	_, oid, _ := strings.Cut(c.path, "/objects/")
	c.s.mu.Lock()
	known := c.hasRemoteAuth()
	b := c.s.world.blobs[oid]
	c.s.mu.Unlock()
	switch {
	case !known:
		c.lfs(http.StatusUnauthorized, obj{"message": "Requires authentication"})
	case c.r.Method == http.MethodPut:
		c.putObject(&signature{oid: oid})
	case b != nil:
		c.getObject(&signature{oid: oid, contentType: "application/octet-stream"}, b)
	default:
		c.lfs(http.StatusNotFound, obj{"message": "Object does not exist on the server"})
	}
}

// hasRemoteAuth reports whether the request has a credential that remoteAuth
// made. s.mu is held.
func (c *call) hasRemoteAuth() bool {
	secret, ok := strings.CutPrefix(c.r.Header.Get("Authorization"), "RemoteAuth ")
	return ok && c.s.world.remoteAuth[secret]
}

// remoteAuth makes a credential for an object. s.mu is held.
func (s *Server) remoteAuth() string {
	secret := "gitauth-v1-" + Canary + randomText(40, alphanumeric)
	s.secret = append(s.secret, secret)
	s.world.remoteAuth[secret] = true
	return "RemoteAuth " + secret
}

// serveLFSVerify answers POST /{owner}/{repo}/verify.
func (c *call) serveLFSVerify() {
	var o lfsObject
	err := json.NewDecoder(io.LimitReader(c.r.Body, maxAPIBody)).Decode(&o)
	c.s.mu.Lock()
	known := c.hasRemoteAuth()
	b := c.s.world.blobs[o.OID]
	c.s.mu.Unlock()
	switch {
	case !known:
		c.lfs(http.StatusUnauthorized, obj{"message": "Requires authentication"})
	case err != nil || b == nil || b.size != o.Size:
		c.lfs(http.StatusNotFound, obj{"message": "Object does not exist on the server"})
	default:
		c.lfs(http.StatusOK, obj{})
	}
}
