package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (c *call) listAssets() reply {
	rel := c.release()
	if rel == nil {
		return notFound()
	}
	var all []any
	for _, a := range rel.assets {
		all = append(all, c.assetJSON(rel, a))
	}
	return c.page(all, c.repoPath(fmt.Sprintf("/releases/%d/assets", rel.id)), nil)
}

// uploadAsset stores a body of a stated length:
// https://docs.github.com/en/rest/releases/assets#upload-a-release-asset.
// How GitHub refuses a body without Content-Length is not documented; the
// status is that of RFC 9110, section 15.5.12.
func (c *call) uploadAsset() reply {
	name := c.r.URL.Query().Get("name")
	switch {
	case c.r.ContentLength < 0:
		return problem(http.StatusLengthRequired, "Content-Length is required")
	case c.r.ContentLength == 0:
		return problem(http.StatusBadRequest, "Bad Content-Length: 0")
	case name == "":
		return invalid("ReleaseAsset", "name", "missing_field")
	}
	oid, size, err := c.s.store(c.r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	rel := c.release()
	if rel == nil {
		return notFound()
	}
	if slices.ContainsFunc(rel.assets, func(a *asset) bool { return a.name == name }) {
		return invalid("ReleaseAsset", "name", "already_exists")
	}
	a := &asset{
		id: c.s.world.newID(), name: name, label: c.r.URL.Query().Get("label"),
		contentType: c.r.Header.Get("Content-Type"), oid: oid, size: size, uploader: c.actor(),
		created: c.s.clock().UTC().Truncate(time.Second),
	}
	rel.assets = append(rel.assets, a)
	return created(c.assetJSON(rel, a))
}

func (c *call) asset() (*release, *asset) {
	for _, rel := range c.repo.releases {
		for _, a := range rel.assets {
			if a.id == c.number("asset_id") && c.seesRelease(rel) {
				return rel, a
			}
		}
	}
	return nil, nil
}

// getAsset describes the asset, or leads to its content:
// https://docs.github.com/en/rest/releases/assets#get-a-release-asset
func (c *call) getAsset() reply {
	rel, a := c.asset()
	if a == nil {
		return notFound()
	}
	if strings.Contains(c.r.Header.Get("Accept"), "application/octet-stream") {
		to := c.s.sign(signature{oid: a.oid, contentType: a.contentType, name: a.name})
		return reply{status: http.StatusFound}.with("Location", to)
	}
	return ok(c.assetJSON(rel, a))
}

func (c *call) deleteAsset() reply {
	rel, a := c.asset()
	if a == nil {
		return notFound()
	}
	rel.assets = slices.DeleteFunc(rel.assets, func(x *asset) bool { return x == a })
	return noContent()
}

func (c *call) assetJSON(rel *release, a *asset) obj {
	return obj{
		"id": a.id, "node_id": nodeID("RA", rel.repo.id, a.id), "name": a.name, "label": a.label,
		"url": fmt.Sprintf("%s/releases/assets/%d", c.repoURL(rel.repo), a.id),
		"browser_download_url": fmt.Sprintf("%s/%s/releases/download/%s/%s",
			c.in.web, rel.repo.fullName(), rel.tag, a.name),
		"state": "uploaded", "content_type": a.contentType, "size": a.size, "digest": "sha256:" + a.oid,
		"download_count": 0, "uploader": c.accountJSON(a.uploader),
		"created_at": a.created, "updated_at": a.created,
	}
}
