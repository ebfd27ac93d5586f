package proxy

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"ghapp-proxy/h1"

	"golang.org/x/net/http/httpguts"
)

// writeRequest writes a request as its Write does, but for the order and the spelling of
// its fields, which are those of names.
func writeRequest(out *bufio.Writer, req *http.Request, names []h1.Name) error {
	head := append(append(out.AvailableBuffer(), req.Method...), ' ')
	head = append(appendTarget(head, req.URL), " HTTP/1.1\r\n"...)
	host := "Host"
	for _, name := range names {
		if name.Key == "Host" {
			host = name.Spelled
		}
	}
	head = appendField(head, host, []string{req.Host})
	head = appendFields(head, req.Header, names, func(key string, values []string) bool {
		return key == "Content-Length" || key == "User-Agent" && values[0] == ""
	})
	if req.ContentLength > 0 || hasLength(req) {
		head = append(head, "Content-Length: "...)
		head = append(strconv.AppendInt(head, req.ContentLength, 10), "\r\n"...)
	}
	if _, err := out.Write(append(head, "\r\n"...)); err != nil || req.ContentLength == 0 {
		return err
	}
	n, err := io.Copy(out, req.Body)
	if err == nil && n != req.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// isPlainHead reports whether net/http, which looks at them before it writes a request, would leave host and
// target as they are.
func isPlainHead(req *http.Request) bool {
	for _, text := range [...]string{req.Host, req.URL.Opaque, req.URL.Path, req.URL.RawPath, req.URL.RawQuery} {
		for _, c := range []byte(text) {
			if c <= ' ' || c > '~' {
				return false
			}
		}
	}
	return req.Host != "" && httpguts.ValidHostHeader(req.Host) && !strings.Contains(req.Host, "%")
}

// appendTarget appends what u.RequestURI returns.
func appendTarget(head []byte, u *url.URL) []byte {
	if !strings.HasPrefix(u.Opaque, "/") || strings.HasPrefix(u.Opaque, "//") {
		return append(head, u.RequestURI()...)
	}
	head = append(head, u.Opaque...) // setTarget
	if u.ForceQuery || u.RawQuery != "" {
		head = append(append(head, '?'), u.RawQuery...)
	}
	return head
}

// hasLength reports whether a request without a body says so.
func hasLength(req *http.Request) bool {
	switch req.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		return true // RFC 9110, section 8.6
	}
	return len(req.TransferEncoding) > 0 // keepZeroLength
}
