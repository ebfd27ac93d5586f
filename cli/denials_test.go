package cli

import (
	"net/netip"
	"strings"
	"testing"

	"ghapp-proxy/event"
	"ghapp-proxy/policy"
)

// TestDenials: each refusal is said once, with the flag that allows it; nothing of it steers a terminal.
func TestDenials(t *testing.T) {
	var d denials
	refused := func(by string, e event.Event) string {
		t.Helper()
		d = denials{}
		e.Decision, e.DecidedBy = event.Refused, by
		d.add(&e)
		d.add(&e)
		var said strings.Builder
		d.report(&said)
		return said.String()
	}
	for _, test := range []struct {
		by   string
		e    event.Event
		want string
	}{
		{"egress.default", event.Event{Method: "CONNECT", Host: "x.test:443"}, "refused: CONNECT x.test:443 (egress.default): --allow x.test:443 allows it"},
		{"egress.allow_private", event.Event{Method: "CONNECT", Host: "x.test:443", Destination: "10.0.0.5"}, ": --allow x.test:443 and --allow 10.0.0.5 allow it"},
		{"egress.deny[1]", event.Event{Method: "CONNECT", Host: "x.test:443"}, "(egress.deny[1]): the configuration decides it"},
		{"client.sandbox.repositories", event.Event{Method: "GET", Host: "api.github.com", Path: "/repos/acme/a", Subject: "acme/a"}, "GET api.github.com/repos/acme/a (client.sandbox.repositories): --repo acme/a allows it"},
		{"client.sandbox.repositories", event.Event{Subject: "acme/a", OtherOwners: 1}, ": --repo OWNER/NAME allows what is about one repository"},
		{"client.sandbox.repositories", event.Event{}, ": --repo OWNER/NAME allows what is about one repository"},
		{"client.sandbox.push", event.Event{}, ": --push BRANCH allows it, or --client NAME where nobody can tell what it moves"},
		{"client.sandbox.deny[1]", event.Event{}, ": a [client.NAME] of the configuration that may do it, and --client NAME, allow it"},
		{"client.agent.repositories", event.Event{Subject: "acme/a"}, ": the configuration decides it"},
		{"grant.4YQWX2BFZ6MDNAAC.push", event.Event{}, ": the grant decides it"},
		{"rule[1]", event.Event{}, ": the configuration decides it"},
		{"rule[1]", event.Event{Path: "/\x1b[2J\n"}, "/\uFFFD[2J\uFFFD (rule[1])"},
	} {
		if said := refused(test.by, test.e); strings.Count(said, "\n") != 1 || !strings.Contains(said, test.want) {
			t.Errorf("%s of %+v:\n%s, want %s", test.by, test.e, said, test.want)
		}
	}
	d = denials{}
	d.add(&event.Event{Decision: event.Forwarded, DecidedBy: "rule[1]"})
	d.add(&event.Event{Decision: event.Refused})
	if len(d.lines) > 0 {
		t.Errorf("what nobody can allow is said: %q", d.lines)
	}
}

// TestManyDenials: there are few lines, and who reads them knows that there are more.
func TestManyDenials(t *testing.T) {
	var d denials
	leads := d.leads(func(name string) bool { return name == "github.com" })
	for _, name := range []string{"github.com", "5.0.0.10.in-addr.arpa", "printer.local", "host"} {
		leads(name)
	}
	if len(d.lines) > 0 {
		t.Errorf("said: %q", d.lines)
	}
	for name := range strings.FieldsSeq("a b c d e f g h i j k") {
		if leads(name + ".test") {
			t.Errorf("leads to %s.test", name)
		}
	}
	var said strings.Builder
	d.report(&said)
	if lines := strings.Split(said.String(), "\n"); len(lines) != maxDenials+2 || lines[0] != "ghapp-proxy: refused: the name a.test (egress): --allow a.test allows it" || !strings.Contains(lines[maxDenials], "and more refusals") {
		t.Errorf("%d lines:\n%s", len(lines), said.String())
	}
}

// TestDenialsAreTrue: whoever gives the flags that are said gets there in the end.
func TestDenialsAreTrue(t *testing.T) {
	for _, test := range []struct{ host, addr string }{{"x.test", "192.0.3.1"}, {"x.test", "10.0.0.5"}, {"x.test", "fd00::5"}, {"x.test", "127.0.0.2"}, {"10.0.0.5", "10.0.0.5"}, {"localhost", "127.0.0.1"}} {
		to, err := policy.ParseDestination(test.host+":443", 443)
		if err != nil {
			t.Fatal(err)
		}
		var flags sandboxFlags
		for attempt := 1; ; attempt++ {
			egress, err := flags.egress(nil)
			if err != nil {
				t.Fatal(err)
			}
			denial := egress.Decide(to)
			if denial == nil {
				denial = egress.DecideOwnAddr(to, netip.MustParseAddr(test.addr))
			}
			if denial == nil {
				break
			}
			e := event.Event{DecidedBy: denial.Key, Host: to.String()}
			if denial.Addr.IsValid() {
				e.Destination = denial.Addr.String()
			}
			said := flagFor(&e)
			if attempt == 4 {
				t.Fatalf("%s at %s: %v with %q, and still it says %s", test.host, test.addr, denial, flags.allowedHosts, said)
			}
			flags.allowedHosts = nil
			for given := range strings.SplitSeq(strings.TrimPrefix(said, "--allow "), " and --allow ") {
				host, _, _ := strings.Cut(given, " allow")
				flags.allowedHosts = append(flags.allowedHosts, host)
			}
		}
	}
}
