package github

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Instance is one GitHub, named by its web host as gh does: "github.com", the
// host of a GitHub Enterprise Server, or "SUBDOMAIN.ghe.com" (Enterprise Cloud
// with data residency). The zero value means GitHubCom.
type Instance string

// GitHubCom is the public GitHub.
const GitHubCom Instance = "github.com"

// Service is what a served host is for. It decides how a path is read and in
// which form the credential is sent.
type Service uint8

const (
	API      Service = iota + 1 // REST and GraphQL
	Uploads                     // release assets
	Web                         // git over HTTP, LFS, archives; everything else passes without a credential
	Raw                         // raw files
	Codeload                    // archives
	GHES                        // all of them on one host, told apart by path
)

// Host is one served host: requests for it are intercepted.
type Host struct {
	Name     string // lower case, without port or trailing dot
	Service  Service
	Instance Instance
}

// ParseInstance reads the value of an App's host key. It accepts the host of
// the web interface or of the API (api.github.com, api.octo.ghe.com) in any
// case, and fails on URLs, ports, addresses and names that are no host names.
func ParseInstance(s string) (Instance, error) {
	if strings.Contains(s, "/") {
		return "", fmt.Errorf("%q is not a host name: leave out the scheme and the path", s)
	}
	name, port := SplitHost(s)
	switch {
	case port != "":
		return "", fmt.Errorf("%q has a port: GitHub is reached on 443 (upstream.connect_to can redirect it)", s)
	case !validHostname(name) || !strings.Contains(name, "."):
		return "", fmt.Errorf("%q is not a host name such as github.com or ghe.example.com", s)
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "", fmt.Errorf("%q is an address: certificates are made for names", s)
	}
	if name == "api.github.com" || IsDataResidency(strings.TrimPrefix(name, "api.")) {
		name = strings.TrimPrefix(name, "api.")
	}
	return Instance(name), nil
}

// IsDataResidency reports whether name is SUBDOMAIN.ghe.com.
func IsDataResidency(name string) bool {
	sub, ok := strings.CutSuffix(name, ".ghe.com")
	return ok && sub != "" && !strings.Contains(sub, ".")
}

// IsServer reports whether i is a GitHub Enterprise Server.
func (i Instance) IsServer() bool { return i != "" && i != GitHubCom && !IsDataResidency(string(i)) }

// Hosts lists the served hosts of i, the web host first.
//
// Sources: docs.github.com "About GitHub's IP addresses" and "Network details
// for GHE.com". What GitHub redirects to beyond these (objects, release-assets,
// blob storage) are signed URLs, which an Authorization header breaks.
func (i Instance) Hosts() []Host {
	web := string(i)
	switch {
	case i == "" || i == GitHubCom:
		return []Host{
			{"github.com", Web, GitHubCom},
			{"api.github.com", API, GitHubCom},
			{"uploads.github.com", Uploads, GitHubCom},
			{"raw.githubusercontent.com", Raw, GitHubCom},
			{"codeload.github.com", Codeload, GitHubCom},
		}
	case IsDataResidency(web):
		return []Host{{web, Web, i}, {"api." + web, API, i}, {"uploads." + web, Uploads, i}}
	default:
		return []Host{{web, GHES, i}}
	}
}

// Domains lists names that GitHub has to itself with all below them, and that
// the served hosts of i are below though not below i: a host that is served later
// will be as well. Of a GitHub Enterprise Server nothing is known but its host.
func (i Instance) Domains() []string {
	if i == "" || i == GitHubCom {
		return []string{"githubusercontent.com"}
	}
	return nil
}

// APIURL is the base of the REST API, without a trailing slash.
func (i Instance) APIURL() *url.URL {
	switch {
	case i == "" || i == GitHubCom:
		return &url.URL{Scheme: "https", Host: "api.github.com"}
	case IsDataResidency(string(i)):
		return &url.URL{Scheme: "https", Host: "api." + string(i)}
	default:
		return &url.URL{Scheme: "https", Host: string(i), Path: "/api/v3"}
	}
}

// SplitHost normalises a host as it may be spelled in a request: it lowers the
// case, cuts one trailing dot and splits off the port ("" if there is none).
// It does not judge the name: an unknown one is simply not served.
func SplitHost(hostport string) (name, port string) {
	name = hostport
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 && !strings.HasSuffix(hostport, "]") {
		if rest := hostport[:i]; !strings.Contains(rest, ":") || strings.HasPrefix(rest, "[") {
			name, port = rest, hostport[i+1:]
		}
	}
	return strings.ToLower(strings.TrimSuffix(name, ".")), port
}

// validHostname reports whether name consists of RFC 1123 labels.
func validHostname(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}
