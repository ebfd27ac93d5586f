package grant

import (
	"testing"
	"time"
)

func TestParseScope(t *testing.T) {
	now := time.Unix(1000, 0)
	got, err := ParseScope(" repositories:acme/widgets repositories:acme/docs  push:refs/heads/a/** owners:acme read_only permissions:contents=read operations:admin networks:10.0.0.0/8 delete_refs:refs/heads/tmp requests_per_minute:60 ttl:10m ", now)
	want := `{"expires":1600,"owners":["acme"],"repositories":["acme/widgets","acme/docs"],"permissions":{"contents":"read"},"read_only":true,"operations":["admin"],"push":["refs/heads/a/**"],"delete_refs":["refs/heads/tmp"],"networks":["10.0.0.0/8"],"requests_per_minute":60}`
	if err != nil || string(got.text()) != want {
		t.Errorf("%s, %v; want %s", got.text(), err, want)
	}
	for _, scope := range []string{
		"all", "repositories", "repositories:", "repositories:acme", "push:main", "read_only:false", "read_only:", "permissions:contents", "permissions:contents=all",
		"ttl:0s", "ttl:-1h", "ttl:9999h", "ttl:x", "requests_per_minute:0", "requests_per_minute:-1", "actor:octocat", "expires:1", "networks:x", "operations:no/such",
	} {
		if _, err := ParseScope(scope, now); err == nil {
			t.Errorf("%q is taken", scope)
		}
	}
}
