package githubtest

import "strings"

// service is what a host, or on GHES a path prefix of the host, offers.
type service int

const (
	serviceAPI      service = iota // REST and GraphQL
	serviceUploads                 // release assets
	serviceWeb                     // git, LFS and archive links
	serviceRaw                     // raw files
	serviceCodeload                // archives
	serviceObjects                 // signed URLs
	serviceArchives                // of artifacts and logs
	serviceLFS                     // the verify action of LFS
)

// instance is one GitHub: github.com, a GitHub Enterprise Server, or a
// SUBDOMAIN.ghe.com. Its fields are base URLs without a trailing slash, as they
// appear in answers.
type instance struct {
	host                                      string
	server                                    bool // Enterprise Server: one host, classic tokens
	api, uploads, web, raw, codeload, avatars string
}

// signedHost serves what GitHub hands out as a signed URL, save for what is
// artifactHost's, and lfsHost the verification of LFS uploads.
const (
	signedHost = "objects.githubusercontent.com"
	lfsHost    = "lfs.github.com"
)

// newInstance derives the hosts from the name, as GitHub does:
// https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/network-details-for-ghecom
// https://docs.github.com/en/enterprise-server@latest/rest/using-the-rest-api/getting-started-with-the-rest-api
func newInstance(host string) *instance {
	switch {
	case host == "github.com":
		return &instance{
			host:     host,
			api:      "https://api.github.com",
			uploads:  "https://uploads.github.com",
			web:      "https://github.com",
			raw:      "https://raw.githubusercontent.com",
			codeload: "https://codeload.github.com",
			avatars:  "https://avatars.githubusercontent.com",
		}
	case strings.HasSuffix(host, ".ghe.com"):
		return &instance{
			host:     host,
			api:      "https://api." + host,
			uploads:  "https://uploads." + host,
			web:      "https://" + host,
			raw:      "https://raw." + host,
			codeload: "https://codeload." + host,
			avatars:  "https://avatars." + host,
		}
	}
	return &instance{
		host:     host,
		server:   true,
		api:      "https://" + host + "/api/v3",
		uploads:  "https://" + host + "/api/uploads",
		web:      "https://" + host,
		raw:      "https://" + host + "/raw",
		codeload: "https://" + host + "/_codeload",
		avatars:  "https://" + host + "/avatars",
	}
}

// mount is a service at a host below a path prefix.
type mount struct {
	inst    *instance
	service service
	host    string
	prefix  string // "" or "/api/v3", never with a trailing slash
}

// mounts lists what the instance serves, longer prefixes first.
func (in *instance) mounts() []mount {
	var ms []mount
	for _, m := range []struct {
		service service
		base    string
	}{
		{serviceAPI, in.api},
		{serviceUploads, in.uploads},
		{serviceRaw, in.raw},
		{serviceCodeload, in.codeload},
		{serviceWeb, in.web},
	} {
		host, prefix, _ := strings.Cut(strings.TrimPrefix(m.base, "https://"), "/")
		if prefix != "" {
			prefix = "/" + prefix
		}
		ms = append(ms, mount{in, m.service, host, prefix})
	}
	return ms
}

// find returns the mount that serves path at host, and the path below it.
func (s *Server) find(host, path string) (mount, string, bool) {
	host = strings.ToLower(strings.TrimSuffix(host, ":443"))
	for _, m := range s.mounts {
		if m.host != host {
			continue
		}
		// GHES has GraphQL beside, not below, /api/v3.
		if m.service == serviceAPI && m.prefix != "" && path == "/api/graphql" {
			return m, "/graphql", true
		}
		rest, ok := strings.CutPrefix(path, m.prefix)
		if ok && (rest == "" || rest[0] == '/') {
			if rest == "" {
				rest = "/"
			}
			return m, rest, true
		}
	}
	return mount{}, "", false
}
