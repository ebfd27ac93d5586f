package rules_test

import (
	"errors"
	"strings"
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// spellings are ways to write a path that some server takes for the same.
var spellings = map[string]func(path string) string{
	"upper case":       strings.ToUpper,
	"trailing slash":   func(path string) string { return path + "/" },
	"trailing slashes": func(path string) string { return path + "///" },
	"escaped slash at the end": func(path string) string {
		return path + "%2F"
	},
	"doubled slash": func(path string) string {
		i := strings.LastIndexByte(path, '/')
		return path[:i] + "/" + path[i:]
	},
	"escaped slash": func(path string) string {
		i := strings.LastIndexByte(path, '/')
		return path[:i] + "%2f" + path[i+1:]
	},
	"escaped backslash": func(path string) string {
		i := strings.LastIndexByte(path, '/')
		return path[:i] + "%5c" + path[i+1:]
	},
	"escaped letters": func(path string) string {
		return strings.NewReplacer("a", "%61", "e", "%65", "-", "%2d", "_", "%5F").Replace(path)
	},
	"escaped twice": func(path string) string {
		return strings.NewReplacer("a", "%2561", "-", "%252d", "_", "%255F").Replace(path)
	},
	"path parameter": func(path string) string { return path + ";x=1" },
	"format":         func(path string) string { return path + ".json" },
	"escaped format": func(path string) string { return path + "%2ejson/" },
	"space":          func(path string) string { return path + "%20" },
	"parameter inside": func(path string) string {
		i := strings.LastIndexByte(path, '/')
		return path[:i] + ";v=1/" + path[i+1:]
	},
	"letters that fold": func(path string) string {
		return strings.NewReplacer("k", "%E2%84%AA", "s", "%c5%bf").Replace(path)
	},
}

// TestGuardedSpellings shows that a guarded operation is refused however it is
// spelled, under every host of the API and under the aliases.
func TestGuardedSpellings(t *testing.T) {
	all := descriptions()
	for i := range all {
		op := &all[i]
		if !guardedIDs[op.id] {
			continue
		}
		path := fill(op, 0, 0, "")
		aliases := []string{path}
		switch segments := segmentsOf(path); op.pattern[0] {
		case "repos":
			aliases = append(aliases, "/repositories/7/"+strings.Join(segments[3:], "/"), "/repositories/x/"+strings.Join(segments[3:], "/"))
		case "orgs":
			aliases = append(aliases, "/organizations/7/"+strings.Join(segments[2:], "/"), "/organizations/x/"+strings.Join(segments[2:], "/"))
		}
		for _, path := range aliases {
			for name, spell := range spellings {
				for _, base := range []string{"api.github.com", "api.octo.ghe.com", "ghe.example.com/api/v3"} {
					spelled := spell(path)
					if spelled[0] != '/' {
						continue // the only slash is needed
					}
					in := op.method + " " + base + spelled
					route, err := rules.Set{JWTWrites: true}.Route(request(t, in))
					if target := (*github.TargetError)(nil); !errors.As(err, &target) && route.Refused != refusalOf(op.id) {
						t.Errorf("%s: Route(%q) = %+v, %v, want a refusal", name, in, route, err)
					}
				}
			}
		}
	}
}
