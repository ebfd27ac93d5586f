package policy

import "strings"

// maxReason bounds what is said about one ref, in bytes.
const maxReason = 400

// Refuse returns the body with which git-receive-pack answers a push that a
// hook declines: git prints the reason beside each ref, and message as "remote:"
// lines. reasons are by ref. The refs that have none fail too, and are told
// so: nothing of the push was sent on.
//
// It returns nil if the client has not asked for a report: then git would take
// any answer of status 200 for a success.
func (p *Push) Refuse(reasons map[string]string, message string) []byte {
	others := "ghapp-proxy: not pushed, because another ref of the push is refused"
	return p.report("ok", message, func(ref string) string {
		if reason, ok := reasons[ref]; ok {
			return reason
		}
		return others
	})
}

// Fail returns the body with which git-receive-pack answers a push that fails
// as a whole, nil if the client has not asked for a report.
func (p *Push) Fail(reason string) []byte {
	return p.report(reason, reason, func(string) string { return reason })
}

// report writes a report-status (gitprotocol-pack(5), "Report Status"), which
// is the same in version 2 where nothing succeeds.
func (p *Push) report(unpack, message string, reason func(ref string) string) []byte {
	if !p.has("report-status") && !p.has("report-status-v2") {
		return nil
	}
	report := appendPkt(nil, "unpack ", oneLine(unpack), "\n")
	for _, u := range p.Commands {
		report = appendPkt(report, "ng ", u.Ref, " ", oneLine(reason(u.Ref)), "\n")
	}
	report = append(report, flushPkt...)

	maxBand := 0
	switch {
	case p.has("side-band-64k"):
		maxBand = maxPkt
	case p.has("side-band"):
		maxBand = 1000
	default:
		return report // there is no place for the message
	}
	var answer []byte
	if message != "" {
		answer = appendBand(answer, "\x02", []byte(strings.TrimSuffix(message, "\n")+"\n"), maxBand)
	}
	answer = appendBand(answer, "\x01", report, maxBand)
	return append(answer, flushPkt...)
}

// oneLine makes s fit behind a ref's name: a short line without control characters.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "") + "…"
	}
	return s
}
