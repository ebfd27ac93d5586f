package transparent

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// question is what a client asks.
type question struct {
	dnsmessage.Question
	header dnsmessage.Header
	rcode  dnsmessage.RCode // not zero: what is wrong with it
	edns   bool             // it can be told why (RFC 6891)
}

// readQuestion reads a message. It fails for what is to be answered by nothing: what is no message, and answers.
func readQuestion(query []byte) (q question, ok bool) {
	var p dnsmessage.Parser
	var err error
	if q.header, err = p.Start(query); err != nil || q.header.Response {
		return q, false
	}
	if q.header.OpCode != 0 {
		q.rcode = dnsmessage.RCodeNotImplemented
		return q, true
	}
	if q.Question, err = p.Question(); err != nil {
		q.Question, q.rcode = dnsmessage.Question{}, dnsmessage.RCodeFormatError
		return q, true
	}
	if _, err := p.Question(); !errors.Is(err, dnsmessage.ErrSectionDone) { // RFC 9619
		q.Question, q.rcode = dnsmessage.Question{}, dnsmessage.RCodeFormatError
		return q, true
	}
	if q.edns, err = hasEDNS(&p); err != nil {
		q.rcode = dnsmessage.RCodeFormatError
	}
	return q, true
}

// hasEDNS reports whether an OPT record is among what follows the question.
func hasEDNS(p *dnsmessage.Parser) (found bool, err error) {
	if err := cmp.Or(p.SkipAllAnswers(), p.SkipAllAuthorities()); err != nil {
		return false, err
	}
	for {
		h, err := p.AdditionalHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return found, nil
		}
		if err == nil {
			err = p.SkipAdditional()
		}
		if err != nil {
			return false, err
		}
		found = found || h.Type == dnsmessage.TypeOPT
	}
}

// host is the name that is asked for, as hosts are named.
func (q *question) host() string { return strings.ToLower(strings.TrimSuffix(q.Name.String(), ".")) }

// answer is what a client is answered.
type answer struct {
	rcode  dnsmessage.RCode
	addr   netip.Addr // not valid for none
	reason string     // why there is none, for those who can be told
}

// String is for the log.
func (a answer) String() string {
	switch {
	case a.addr.IsValid():
		return a.addr.String()
	case a.reason != "":
		return a.reason
	}
	return a.rcode.String()
}

// nowhere are domains whose names nobody serves: those of addresses, of other ways to resolve, and of
// tests (RFC 6761, 6762, 7686, 9476), and by which some ask whether to use a resolver of their own.
var nowhere = []string{"arpa", "local", "onion", "alt", "invalid", "use-application-dns.net"}

func within(host, domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }

// decide decides what a question is answered.
func (r *Resolver) decide(q question, from netip.Addr) answer {
	host := q.host()
	switch {
	case q.rcode != 0:
		return answer{rcode: q.rcode}
	case q.Class != dnsmessage.ClassINET:
		return answer{rcode: dnsmessage.RCodeRefused}
	case within(host, "localhost"): // RFC 6761, section 6.3
		return q.one(netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback())
	case slices.ContainsFunc(nowhere, func(domain string) bool { return within(host, domain) }):
		return answer{rcode: dnsmessage.RCodeNameError}
	case !r.Leads(host):
		return answer{rcode: dnsmessage.RCodeNameError, reason: "the proxy does not lead there: add it to egress.allow"}
	}
	v4, v6, err := r.Names.Assign(host, from)
	if err != nil {
		return answer{rcode: dnsmessage.RCodeServerFailure, reason: err.Error()}
	}
	return q.one(v4, v6)
}

// one is the answer with the address that is asked for, and with none for other types. ANY is one of these
// (RFC 8482).
func (q *question) one(v4, v6 netip.Addr) answer {
	switch q.Type {
	case dnsmessage.TypeA:
		return answer{addr: v4}
	case dnsmessage.TypeAAAA:
		return answer{addr: v6}
	}
	return answer{}
}

// blocked is the code of what is withheld by the will of those who run the resolver (RFC 8914, section 4.16), and other that of
// a reason without one (4.1).
const (
	extendedError = 15 // the option's number (RFC 8914, section 2)
	blocked       = 15
	other         = 0
)

// message is an answer on the wire. All fit into 512 bytes. Names that do not exist have no SOA, so that nobody keeps that they do
// not (RFC 2308, section 5): the configuration may change.
func (a answer) message(q question) []byte {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{
		ID: q.header.ID, OpCode: q.header.OpCode, Response: true, RecursionDesired: q.header.RecursionDesired, RecursionAvailable: true, RCode: a.rcode,
	})
	b.EnableCompression()
	err := b.StartQuestions()
	if err == nil && q.Name.Length != 0 {
		err = b.Question(q.Question)
	}
	if err == nil && a.addr.IsValid() {
		err = cmp.Or(b.StartAnswers(), a.resource(&b, q))
	}
	if err == nil && q.edns {
		err = cmp.Or(b.StartAdditionals(), a.extended(&b))
	}
	text, finished := b.Finish()
	if cmp.Or(err, finished) != nil {
		return nil // cannot happen: the name was read from a message
	}
	return text
}

func (a answer) resource(b *dnsmessage.Builder, q question) error {
	h := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: uint32(TTL.Seconds())}
	if a.addr.Is4() {
		return b.AResource(h, dnsmessage.AResource{A: a.addr.As4()})
	}
	return b.AAAAResource(h, dnsmessage.AAAAResource{AAAA: a.addr.As16()})
}

// extended is the OPT record, with the reason if there is one.
func (a answer) extended(b *dnsmessage.Builder) error {
	var h dnsmessage.ResourceHeader
	if err := h.SetEDNS0(maxQuery, dnsmessage.RCodeSuccess, false); err != nil {
		return err
	}
	var opt dnsmessage.OPTResource
	if a.reason != "" {
		code := byte(other)
		if a.rcode == dnsmessage.RCodeNameError {
			code = blocked
		}
		opt.Options = []dnsmessage.Option{{Code: extendedError, Data: append([]byte{0, code}, a.reason...)}}
	}
	return b.OPTResource(h, opt)
}
