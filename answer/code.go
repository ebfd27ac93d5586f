package answer

// Code says why there is no answer of the host's: an error type of the
// Proxy-Status field, RFC 9209, section 2.3.
type Code string

// What a client, or the configuration, is to blame for.
const (
	RequestDenied      Code = "http_request_denied"
	RequestError       Code = "http_request_error"
	UpgradeFailed      Code = "http_upgrade_failed"
	LimitReached       Code = "connection_limit_reached"
	ProhibitedIP       Code = "destination_ip_prohibited"
	ConfigurationError Code = "proxy_configuration_error"
	LoopDetected       Code = "proxy_loop_detected"
	InternalError      Code = "proxy_internal_error"
)

// What the network is to blame for, or the host.
const (
	DNSTimeout           Code = "dns_timeout"
	DNSError             Code = "dns_error"
	Unavailable          Code = "destination_unavailable"
	Unroutable           Code = "destination_ip_unroutable"
	ConnectionRefused    Code = "connection_refused"
	ConnectionTerminated Code = "connection_terminated"
	ConnectionTimeout    Code = "connection_timeout"
	ReadTimeout          Code = "connection_read_timeout"
	WriteTimeout         Code = "connection_write_timeout"
	TLSProtocolError     Code = "tls_protocol_error"
	TLSCertificateError  Code = "tls_certificate_error"
	TLSAlertReceived     Code = "tls_alert_received"
	ResponseIncomplete   Code = "http_response_incomplete"
	ResponseHeadTooLarge Code = "http_response_header_section_size"
	ResponseTimeout      Code = "http_response_timeout"
	ProtocolError        Code = "http_protocol_error"
)
