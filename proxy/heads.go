package proxy

import "strings"

const (
	// maxAnswerHead bounds the head of an answer, in bytes: as much as Squid
	// takes (reply_header_max_size). GitHub's are below 16 KiB. net/http makes of
	// a head what takes some times its size, and waits long for its end.
	maxAnswerHead = 64 << 10
	// maxUnread bounds what of an answer waits for its client where GitHub speaks
	// HTTP/2, in bytes. net/http takes four mebibytes otherwise. All streams of a
	// connection must have room at once: one that nobody reads would stop the others.
	maxUnread = 512 << 10
)

// isLargeHead reports whether net/http (1.26) gave up an answer for its head: it
// has no type for that, and another text for each version of HTTP.
func isLargeHead(err error) bool {
	text := err.Error()
	return strings.Contains(text, "server response headers exceeded") || strings.Contains(text, "response header list larger than advertised")
}
