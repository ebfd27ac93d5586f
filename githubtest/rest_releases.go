package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

type release struct {
	id         int64
	repo       *repository
	tag        string
	target     string
	name, body string
	draft      bool
	prerelease bool
	author     *Account
	created    time.Time
	assets     []*asset
}

type asset struct {
	id          int64
	name, label string
	contentType string
	oid         string // of the blob
	size        int64
	uploader    *Account
	created     time.Time
}

func releaseRoutes() []route {
	upload := post("/repos/{owner}/{repo}/releases/{release_id}/assets", "contents=write", nil)
	upload.stream = (*call).uploadAsset
	return []route{
		get("/repos/{owner}/{repo}/releases", "contents=read", (*call).listReleases),
		post("/repos/{owner}/{repo}/releases", "contents=write", (*call).createRelease),
		get("/repos/{owner}/{repo}/releases/latest", "contents=read", (*call).latestRelease),
		get("/repos/{owner}/{repo}/releases/tags/{tag...}", "contents=read", (*call).releaseByTag),
		get("/repos/{owner}/{repo}/releases/assets/{asset_id}", "contents=read", (*call).getAsset),
		del("/repos/{owner}/{repo}/releases/assets/{asset_id}", "contents=write", (*call).deleteAsset),
		get("/repos/{owner}/{repo}/releases/{release_id}", "contents=read", (*call).getRelease),
		patch("/repos/{owner}/{repo}/releases/{release_id}", "contents=write", (*call).updateRelease),
		del("/repos/{owner}/{repo}/releases/{release_id}", "contents=write", (*call).deleteRelease),
		get("/repos/{owner}/{repo}/releases/{release_id}/assets", "contents=read", (*call).listAssets),
		upload,
	}
}

func (s *Server) addRelease(r *repository, author *Account, tag, name, body string) *release {
	rel := &release{
		id: s.world.newID(), repo: r, tag: tag, target: defaultBranch, name: name, body: body,
		author: author, created: s.clock().UTC().Truncate(time.Second),
	}
	r.releases = append(r.releases, rel)
	return rel
}

func (c *call) listReleases() reply {
	var all []any
	for _, rel := range slices.Backward(c.repo.releases) {
		if c.seesRelease(rel) {
			all = append(all, c.releaseJSON(rel))
		}
	}
	return c.page(all, c.repoPath("/releases"), nil)
}

// seesRelease reports whether the release exists for the caller: drafts need push access.
func (c *call) seesRelease(rel *release) bool {
	return !rel.draft || c.access.allows(rel.repo, "contents=write")
}

func (c *call) firstRelease(match func(*release) bool) reply {
	for _, rel := range slices.Backward(c.repo.releases) {
		if c.seesRelease(rel) && match(rel) {
			return ok(c.releaseJSON(rel))
		}
	}
	return notFound()
}

func (c *call) latestRelease() reply {
	return c.firstRelease(func(rel *release) bool { return !rel.draft && !rel.prerelease })
}

func (c *call) releaseByTag() reply {
	return c.firstRelease(func(rel *release) bool { return !rel.draft && rel.tag == c.param("tag") })
}

func (c *call) getRelease() reply {
	return c.firstRelease(func(rel *release) bool { return rel.id == c.number("release_id") })
}

func (c *call) release() *release {
	for _, rel := range c.repo.releases {
		if rel.id == c.number("release_id") && c.seesRelease(rel) {
			return rel
		}
	}
	return nil
}

// releaseFields is the body of a request that creates or updates a release.
type releaseFields struct {
	TagName    *string `json:"tag_name"`
	Target     *string `json:"target_commitish"`
	Name       *string `json:"name"`
	Body       *string `json:"body"`
	Draft      *bool   `json:"draft"`
	Prerelease *bool   `json:"prerelease"`
}

func (f releaseFields) apply(rel *release) {
	set(&rel.tag, f.TagName)
	set(&rel.target, f.Target)
	set(&rel.name, f.Name)
	set(&rel.body, f.Body)
	set(&rel.draft, f.Draft)
	set(&rel.prerelease, f.Prerelease)
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (c *call) createRelease() reply {
	var f releaseFields
	if !c.decode(&f) || f.TagName == nil || *f.TagName == "" {
		return invalid("Release", "tag_name", "missing_field")
	}
	for _, rel := range c.repo.releases {
		if rel.tag == *f.TagName && !rel.draft {
			return invalid("Release", "tag_name", "already_exists")
		}
	}
	rel := c.s.addRelease(c.repo, c.actor(), "", "", "")
	f.apply(rel)
	if err := c.publish(rel); err != nil {
		return invalid("Release", "target_commitish", "invalid")
	}
	j := c.releaseJSON(rel)
	return created(j).with("Location", j["url"].(string))
}

// publish creates the tag of a release that is no draft.
func (c *call) publish(rel *release) error {
	if rel.draft || c.s.resolve(rel.repo.dir, "refs/tags/"+rel.tag) != "" {
		return nil
	}
	_, err := c.s.git(rel.repo.dir, "", "update-ref", "refs/tags/"+rel.tag, c.s.resolve(rel.repo.dir, rel.target))
	return err
}

func (c *call) updateRelease() reply {
	var f releaseFields
	rel := c.release()
	if rel == nil {
		return notFound()
	}
	if !c.decode(&f) {
		return problem(http.StatusBadRequest, "Problems parsing JSON")
	}
	f.apply(rel)
	if err := c.publish(rel); err != nil {
		return invalid("Release", "target_commitish", "invalid")
	}
	return ok(c.releaseJSON(rel))
}

func (c *call) deleteRelease() reply {
	rel := c.release()
	if rel == nil {
		return notFound()
	}
	c.repo.releases = slices.DeleteFunc(c.repo.releases, func(r *release) bool { return r == rel })
	return noContent()
}

func (c *call) releaseJSON(rel *release) obj {
	api := fmt.Sprintf("%s/releases/%d", c.repoURL(rel.repo), rel.id)
	assets := []any{}
	for _, a := range rel.assets {
		assets = append(assets, c.assetJSON(rel, a))
	}
	published := timeOrNull(rel.created)
	if rel.draft {
		published = nil
	}
	return obj{
		"id": rel.id, "node_id": nodeID("RE", rel.repo.id, rel.id), "url": api, "assets_url": api + "/assets",
		"upload_url":  fmt.Sprintf("%s/repos/%s/releases/%d/assets{?name,label}", c.in.uploads, rel.repo.fullName(), rel.id),
		"html_url":    c.releasePage(rel),
		"tarball_url": c.repoURL(rel.repo) + "/tarball/" + rel.tag,
		"zipball_url": c.repoURL(rel.repo) + "/zipball/" + rel.tag,
		"tag_name":    rel.tag, "target_commitish": rel.target, "name": rel.name, "body": rel.body,
		"draft": rel.draft, "prerelease": rel.prerelease, "immutable": false, "author": c.accountJSON(rel.author),
		"created_at": rel.created, "published_at": published, "updated_at": rel.created, "assets": assets,
	}
}

func (c *call) releasePage(rel *release) string {
	return fmt.Sprintf("%s/%s/releases/tag/%s", c.in.web, rel.repo.fullName(), rel.tag)
}
