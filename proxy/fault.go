package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"ghapp-proxy/answer"
	"ghapp-proxy/panics"
	"ghapp-proxy/policy"
	"ghapp-proxy/replay"
)

// What net/http (1.26) and crypto/tls have no types for. TestFaults has them from
// real connections.
const (
	textBroken     = "net/http: HTTP/1.x transport connection broken"
	textClosedIdle = "http: server closed idle connection"
	textHeadWait   = "net/http: timeout awaiting response headers"
	textTLS        = "tls: "
)

// lostHTTP2 are what its HTTP/2 says of a connection that has ended.
var lostHTTP2 = []string{"http2: client connection lost", "http2: client connection force closed", "http2: server sent GOAWAY and closed the connection", "http2: Transport received GOAWAY"}

// faultOf classifies why there is no answer.
func faultOf(err error) answer.Code {
	var next *nextProxyError
	switch {
	case errors.Is(err, errSelf):
		return answer.LoopDetected
	case errors.As(err, new(*policy.EgressDenial)):
		return answer.ProhibitedIP
	case errors.As(err, &next) && next.status == http.StatusProxyAuthRequired:
		return answer.ConfigurationError
	case next != nil && next.status != 0:
		return answer.Unavailable
	case isLargeHead(err):
		return answer.ResponseHeadTooLarge
	}
	if f := faultOfDNS(err); f != "" {
		return f
	}
	if f := faultOfTLS(err); f != "" {
		return f
	}
	return faultOfConnection(err)
}

func faultOfDNS(err error) answer.Code {
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return ""
	case dns.IsTimeout:
		return answer.DNSTimeout
	}
	return answer.DNSError
}

func faultOfTLS(err error) answer.Code {
	op, _ := errors.AsType[*net.OpError](err)
	switch {
	case errors.As(err, new(*tls.CertificateVerificationError)), errors.As(err, new(x509.HostnameError)):
		return answer.TLSCertificateError
	case op != nil && op.Op == "remote error": // crypto/tls's
		return answer.TLSAlertReceived
	case errors.As(err, new(tls.RecordHeaderError)), errors.Is(err, http.ErrSchemeMismatch), op != nil && op.Op == "local error",
		strings.HasPrefix(err.Error(), textTLS):
		return answer.TLSProtocolError
	}
	return ""
}

func faultOfConnection(err error) answer.Code {
	var op net.OpError
	if inner, ok := errors.AsType[*net.OpError](err); ok {
		op = *inner
	}
	text := err.Error()
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		switch {
		case strings.Contains(text, textHeadWait), op.Op == "" && errors.Is(err, context.DeadlineExceeded):
			return answer.ResponseTimeout
		case op.Op == "read":
			return answer.ReadTimeout
		case op.Op == "write":
			return answer.WriteTimeout
		}
		return answer.ConnectionTimeout
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return answer.ConnectionRefused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return answer.Unroutable
	case strings.Contains(text, textBroken) && errors.Is(err, io.ErrUnexpectedEOF):
		return answer.ResponseIncomplete
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, net.ErrClosed), // net/http closes its end when the host has
		errors.Is(err, replay.ErrNotKept), strings.Contains(text, textClosedIdle), containsAny(text, lostHTTP2):
		return answer.ConnectionTerminated
	case op.Op == "dial":
		return answer.Unavailable
	}
	return answer.ProtocolError
}

func containsAny(text string, list []string) bool {
	for _, part := range list {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// isLost reports whether a connection was lost on which a request was under way.
func isLost(err error) bool {
	switch faultOf(err) {
	case answer.ConnectionTerminated, answer.ResponseIncomplete, answer.ReadTimeout, answer.WriteTimeout:
		return true
	}
	return false
}

// statusOf is what the fault is answered with. RFC 9209 recommends another status
// for what this proxy refuses by itself: it is no fault of the network's.
func statusOf(fault answer.Code) int {
	switch fault {
	case answer.ProhibitedIP, answer.LoopDetected:
		return http.StatusForbidden
	case answer.DNSTimeout, answer.ConnectionTimeout, answer.ReadTimeout, answer.WriteTimeout, answer.ResponseTimeout:
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// remedyOf is what can be done about the fault, "" if nothing is known.
func remedyOf(fault answer.Code) string {
	switch fault {
	case answer.DNSError, answer.DNSTimeout:
		return "check the name and the resolver of the machine that runs the proxy"
	case answer.TLSCertificateError:
		return "if the host's certificate is private, name its root in upstream.ca_file"
	case answer.ResponseHeadTooLarge:
		return fmt.Sprintf("the fields of its answer are more than %d KiB: ask for less", maxAnswerHead>>10)
	case answer.ConnectionRefused:
		return "check upstream.connect_to and upstream.proxy, and that the host is up"
	}
	return ""
}

// happened is what happened, to go with the host's name.
func happened(fault answer.Code) string {
	switch fault {
	case answer.ConnectionTerminated:
		return "closed the connection before it answered"
	case answer.ResponseIncomplete:
		return "closed the connection within the head of its answer"
	case answer.ResponseTimeout:
		return "has not answered in time"
	case answer.ResponseHeadTooLarge, answer.ProtocolError:
		return "gave an answer that cannot be passed on"
	}
	return "could not be reached"
}

var noAnswer = answer.Define(answer.Kind{
	Status: http.StatusBadGateway, Code: answer.Unavailable,
	Title: "%s", About: "… could not be reached, or did not answer (403, 502 or 504, with an error of RFC 9209 that says why)",
})

// upstreamRefusal answers with why a host did not.
func upstreamRefusal(err error, host string) *answer.Refusal {
	if denial, ok := errors.AsType[*policy.EgressDenial](err); ok {
		return egressRefusal(denial)
	}
	if fault, ok := errors.AsType[*panics.Fault](err); ok {
		return faultRefusal(fault)
	}
	what := faultOf(err)
	f := noAnswer.Refuse("")
	f.Status, f.Code, f.Remedy = statusOf(what), what, remedyOf(what)
	next, ok := errors.AsType[*nextProxyError](err)
	switch {
	case ok:
		f.Inside, f.Title = causes(next)
		f.Remedy = next.remedy()
	case what == answer.LoopDetected:
		f.Title = errSelf.Error()
	default:
		f.Inside, f.Title = causes(fmt.Errorf("%s %s: %w", host, happened(what), err))
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && what == answer.TLSAlertReceived {
		f.Parameters = "; alert-message=" + answer.Quote(strings.TrimPrefix(op.Err.Error(), textTLS))
	}
	return f
}

// Blame says why a host did not answer a request that was given to the Transport, and
// what can be done about it, "" if nothing is known.
func Blame(err error, host string) (reason, remedy string) {
	f := upstreamRefusal(err, host)
	return cmp.Or(f.Inside, f.Title), f.Remedy
}

// causedBy is a refusal because a connection failed.
func causedBy(kind *answer.Kind, err error) *answer.Refusal {
	inside, title := causes(err)
	f := kind.Refuse(title)
	f.Inside = inside
	return f
}

// causes say why a connection failed: to the log all of it, to the client
// without the addresses of hosts, resolvers and proxies, which may be secret.
func causes(err error) (inside, title string) {
	inside, title = err.Error(), err.Error()
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if op.Source != nil {
			title = strings.ReplaceAll(title, op.Source.String(), "")
		}
		if op.Addr != nil {
			title = strings.NewReplacer(" ->"+op.Addr.String(), "", " "+op.Addr.String(), "").Replace(title)
		}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.Server != "" {
		title = strings.ReplaceAll(title, " on "+dns.Server, "")
	}
	return inside, title
}

var ownFault = answer.Define(answer.Kind{
	Status: http.StatusInternalServerError, Code: answer.InternalError,
	Title:  "a fault of the proxy's own",
	Remedy: "tell those who run it: its log has the request, with where the fault was",
})

// faultRefusal tells the log what was wrong, and the client that something was.
func faultRefusal(fault *panics.Fault) *answer.Refusal {
	refused := ownFault.Refuse()
	refused.Inside, refused.Fault = fault.Error(), fault
	return refused
}

// errSelf is returned for connections that would reach this proxy again.
var errSelf = errors.New("the proxy does not connect to itself")
