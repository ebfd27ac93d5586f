package proxy

import (
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

	"ghapp-proxy/panics"
	"ghapp-proxy/policy"
)

// fault is what kept a request from being answered, as RFC 9209, section 2.3,
// calls it: the error type of Proxy-Status.
type fault string

const (
	dnsTimeout           fault = "dns_timeout"
	dnsError             fault = "dns_error"
	unavailable          fault = "destination_unavailable"
	prohibitedIP         fault = "destination_ip_prohibited"
	unroutable           fault = "destination_ip_unroutable"
	connectionRefused    fault = "connection_refused"
	connectionTerminated fault = "connection_terminated"
	connectionTimeout    fault = "connection_timeout"
	readTimeout          fault = "connection_read_timeout"
	writeTimeout         fault = "connection_write_timeout"
	tlsProtocolError     fault = "tls_protocol_error"
	tlsCertificateError  fault = "tls_certificate_error"
	tlsAlertReceived     fault = "tls_alert_received"
	responseIncomplete   fault = "http_response_incomplete"
	responseHeadTooLarge fault = "http_response_header_section_size"
	responseTimeout      fault = "http_response_timeout"
	httpProtocolError    fault = "http_protocol_error"
	configurationError   fault = "proxy_configuration_error"
	loopDetected         fault = "proxy_loop_detected"
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
func faultOf(err error) fault {
	var next *nextProxyError
	switch {
	case errors.Is(err, errSelf):
		return loopDetected
	case errors.As(err, new(*policy.EgressDenial)):
		return prohibitedIP
	case errors.As(err, &next) && next.status == http.StatusProxyAuthRequired:
		return configurationError
	case next != nil && next.status != 0:
		return unavailable
	case isLargeHead(err):
		return responseHeadTooLarge
	}
	if f := faultOfDNS(err); f != "" {
		return f
	}
	if f := faultOfTLS(err); f != "" {
		return f
	}
	return faultOfConnection(err)
}

func faultOfDNS(err error) fault {
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return ""
	case dns.IsTimeout:
		return dnsTimeout
	}
	return dnsError
}

func faultOfTLS(err error) fault {
	op, _ := errors.AsType[*net.OpError](err)
	switch {
	case errors.As(err, new(*tls.CertificateVerificationError)), errors.As(err, new(x509.HostnameError)):
		return tlsCertificateError
	case op != nil && op.Op == "remote error": // crypto/tls's
		return tlsAlertReceived
	case errors.As(err, new(tls.RecordHeaderError)), errors.Is(err, http.ErrSchemeMismatch), op != nil && op.Op == "local error",
		strings.HasPrefix(err.Error(), textTLS):
		return tlsProtocolError
	}
	return ""
}

func faultOfConnection(err error) fault {
	var op net.OpError
	if inner, ok := errors.AsType[*net.OpError](err); ok {
		op = *inner
	}
	text := err.Error()
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		switch {
		case strings.Contains(text, textHeadWait), op.Op == "" && errors.Is(err, context.DeadlineExceeded):
			return responseTimeout
		case op.Op == "read":
			return readTimeout
		case op.Op == "write":
			return writeTimeout
		}
		return connectionTimeout
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return connectionRefused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return unroutable
	case strings.Contains(text, textBroken) && errors.Is(err, io.ErrUnexpectedEOF):
		return responseIncomplete
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, errNotKept), strings.Contains(text, textClosedIdle), containsAny(text, lostHTTP2):
		return connectionTerminated
	case op.Op == "dial":
		return unavailable
	}
	return httpProtocolError
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
	case connectionTerminated, responseIncomplete, readTimeout, writeTimeout:
		return true
	}
	return false
}

// status is what the fault is answered with. RFC 9209 recommends another status
// for what this proxy refuses by itself: it is no fault of the network's.
func (f fault) status() int {
	switch f {
	case prohibitedIP, loopDetected:
		return http.StatusForbidden
	case dnsTimeout, connectionTimeout, readTimeout, writeTimeout, responseTimeout:
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// remedy is what can be done about the fault, "" if nothing is known.
func (f fault) remedy() string {
	switch f {
	case dnsError, dnsTimeout:
		return "check the name and the resolver of the machine that runs the proxy"
	case tlsCertificateError:
		return "if the host's certificate is private, name its root in upstream.ca_file"
	case responseHeadTooLarge:
		return fmt.Sprintf("the fields of its answer are more than %d KiB: ask for less", maxAnswerHead>>10)
	case connectionRefused:
		return "check upstream.connect_to and upstream.proxy, and that the host is up"
	}
	return ""
}

// says is what happened, to go with the host's name.
func (f fault) says() string {
	switch f {
	case connectionTerminated:
		return "closed the connection before it answered"
	case responseIncomplete:
		return "closed the connection within the head of its answer"
	case responseTimeout:
		return "has not answered in time"
	case responseHeadTooLarge, httpProtocolError:
		return "gave an answer that cannot be passed on"
	}
	return "could not be reached"
}

// upstreamRefusal answers with why a host did not.
func upstreamRefusal(err error, host string) *refusal {
	if denial, ok := errors.AsType[*policy.EgressDenial](err); ok {
		return egressRefusal(denial)
	}
	if fault, ok := errors.AsType[*panics.Fault](err); ok {
		return faultRefusal(fault)
	}
	what := faultOf(err)
	f := &refusal{status: what.status(), code: string(what), remedy: what.remedy()}
	next, ok := errors.AsType[*nextProxyError](err)
	switch {
	case ok:
		f.setCause(next)
		f.remedy = next.remedy()
	case what == loopDetected:
		f.title = errSelf.Error()
	default:
		f.setCause(fmt.Errorf("%s %s: %w", host, what.says(), err))
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && what == tlsAlertReceived {
		f.parameters = "; alert-message=" + quoteSF(strings.TrimPrefix(op.Err.Error(), textTLS))
	}
	return f
}
