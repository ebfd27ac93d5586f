package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"ghapp-proxy/answer"
	"ghapp-proxy/policy"
)

// Where nobody may go.
var (
	badDestination = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "%v",
		Remedy: "write the host as a name or as a whole address, and the port as a number",
		About:  "the destination is not a host and a port",
	})
	noEgress = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title: "%s", About: "the proxy may not connect to …",
	})
	noAddress = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.ProhibitedIP,
		Title: "%s", About: "the proxy may not connect to …: it leads to … address",
	})
)

func destinationRefusal(err error) *answer.Refusal {
	return badDestination.Refuse(err)
}

// egressRefusal is the answer to somebody who may not go somewhere. It does
// not tell the addresses of hosts, which may be secret.
func egressRefusal(denial *policy.EgressDenial) *answer.Refusal {
	kind := noEgress
	if denial.Addr.IsValid() {
		kind = noAddress
	}
	f := kind.Refuse(denial.Reason)
	f.Remedy, f.DecidedBy = denial.Remedy, denial.Key
	return f
}

// checkServerName reports whether a ClientHello is for the host of its tunnel.
// A client that connects to an address sends no name (RFC 6066, section 3).
func checkServerName(d policy.Destination, name string) error {
	switch {
	case name == "" && d.Addr.IsValid(), isASCII(name) && strings.EqualFold(name, d.Host):
		return nil
	case name == "":
		return errors.New("the ClientHello has no server name")
	default:
		return fmt.Errorf("the ClientHello is for %.100q", name)
	}
}
