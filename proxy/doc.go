// Package proxy is a forward proxy that intercepts what goes to GitHub and puts
// credentials in.
//
//	upstream := proxy.NewUpstream(proxy.UpstreamOptions{})
//	p := proxy.New(proxy.Options{Log: slog.Default(), Configuration: proxy.Configuration{
//		Hosts:       rules.GitHubCom.Hosts(),
//		Credentials: source,         // an *auth.Source
//		Certificate: ca.Certificate, // of a *certs.CA
//		CAPEM:       ca.PEM(),
//		Upstream:    upstream,
//	}})
//	go p.Serve(listener)
//	…
//	p.Shutdown(ctx)
//
// # The path of a request
//
//	client ──CONNECT──► outer server ─► identify ─► goproxy ─┬─► Egress ─► tunnel: bytes pass unread
//	                                    (who is it?)         │
//	                  session: host and client, fixed here ──┤
//	                                                         ▼
//	       ══TLS══════════════► relay or inner server ─► gateway ─► forwarder ─► GitHub
//	                                     (h2, HTTP/1.1)    │ 421 for another host
//	client ──GET http://api.github.com/──────────────────► │ rules: which credential?
//	                                                       │ policy: may this client have it?
//	                                                       │ auth: here it is, within the client's Scope
//	                                                       ▼
//	                                                    one log line, one AuditRecord
//
// The outer server takes the CONNECT, and goproxy decides about it. The
// connection of a served host is hijacked and handed to the inner server, an
// ordinary net/http server whose listener is the outside's hand-over. Plain requests
// of HTTP/1.1 a relay reads and answers in its place, for less. What was
// decided at CONNECT travels with the connection; nothing that a client says
// inside can lead the credential to another host. From the gateway on it is
// plain net/http.
//
// A client that does not know of the proxy connects to hosts, and the network leads it to a
// Listener with Names. Its ClientHello, or the Host of its request to port 80, says where it goes, and has
// to be what its address stands for. From there on it is as by CONNECT; what is refused gets an alert of TLS.
//
// What a client is answered by, and what it sends, are good until its request has
// been answered, whoever still holds them. A refusal does not wait for the body:
// the connection is read on for a while then, and closed.
//
// Who a client is decides what it may do. Limits hold from the first byte: a
// caller's connections and requests are counted, its pushes are read before they
// leave, and what GitHub answers to a client with limits loses clone tokens.
// Replace puts another Policy into force while the proxy runs.
//
// Where GitHub refuses a credential that should be good, package auth sends the
// request again (auth.Source.Send). A body of up to a mebibyte is kept for that.
//
// Requests that only read share connections to GitHub, and are sent again over
// another one where theirs is lost. What may change something has a connection of
// its own, since nobody can tell whether it was carried out when one is lost, and
// GitHub closes the kept ones. A path on which nothing is acknowledged for twenty
// seconds is taken for dead, tunnels' too; a server that thinks is waited for.
//
// The body of a GraphQL request is read, up to graphql.MaxBody bytes, to find
// whom it names; it is sent on unchanged. So is the list of refs at the head of a
// push, where pushes are limited; the rest of a push that is refused is read and
// dropped, because git prints the reason only then. The heads of GitHub's answers
// are read: Link fields name the owners of ids, a redirect says that a repository has
// moved, Date gives GitHub's time, and the rate-limit fields say how much is left.
// The first 64 KiB of their bodies are searched for the credential that they
// were asked with and for its App's key, and the answer ends before it.
//
// Where there is a Cache, answers of the REST API are kept. If-None-Match leaves as it is for the token of
// now, and answers have a Cache-Status; what is kept is given after GitHub's 304 only, and passes all that an answer of GitHub's
// passes. Requests that are the same in all that leaves share one answer; what comes before it (1xx) only the first gets.
//
// Where Rules.Exchange is set, a program that authenticates as an App by itself
// gets a placeholder when it asks for an installation token, after GitHub has
// granted the real one. In a later request the placeholder chooses the
// installation and narrows its token; to rules, a request that names nobody is
// then about the installation's account. A program's JWT chooses the App by its
// iss. Neither lets a client do more than it could without. The contents of a
// placeholder are sealed in it, with a key derived from the App's, for its client and
// its instance. So nothing is stored but revocations, and placeholders that would be
// too long.
//
// A tunnel goes where the egress policy lets it, by its name and then by the
// very address that is connected to. Where the policy is limited to some hosts,
// the ClientHello of a tunnel to port 443 has to be for the host that the CONNECT
// named. Where it is not, a tunnel may lead to a served host by its address: it
// carries no credential of ours.
//
// # Limitations
//
// The order of fields with different names, the spelling of their names' case and the reason phrase are what was sent
// where a client's requests are relayed and a host is spoken to over a kept connection of HTTP/1.1; elsewhere they are
// net/http's. TRACE, CONNECT,
// methods with small letters, WebSockets, "OPTIONS *" and X-HTTP-Method-Override
// are refused on served hosts; so are names with underscores that can be taken
// for Content-Type and the like, and a Connection that names one of these.
// Trailers lose what may not stand in them. A client that sends nothing of a body
// for two minutes is cut off, one that takes nothing of an answer after ten, a
// tunnel in which nothing moves after thirty. The answer to a client that closes
// its half before it is lost. Placeholders end with the proxy, and what is said
// of repositories with them is less than GitHub says. The user at the other end
// of a connection is known only on Linux and on the same machine.
//
// Of a tunnel only the first ClientHello is read, and of that the outer one: what
// Encrypted Client Hello, or what follows in TLS, asks of the host's servers is not
// seen. Behind an upstream proxy, addresses are not.
//
// # Rooms
//
// The files stand in rooms, one above the other. What is in a file knows only what
// stands before it in this list, which TestRooms reads.
//
//	ground: addresses, bounds, waiting, and what a connection or an answer is wrapped in
//		address.go bounds.go buffers.go watch.go conn.go queue.go pace.go shares.go heads.go
//		fields.go writerequest.go answerwriter.go
//		answerbody.go guardedbody.go recordconn.go gather.go rawsocket_linux.go rawsocket_other.go quiet_unix.go quiet_poll.go quiet_other.go pulse.go pulse_linux.go pulse_darwin.go pulse_other.go
//	arrivals: connections of clients, from when they are accepted until they say who they are
//		speech.go servererrors.go clientconn.go arrivals.go outerconn.go files_unix.go files_other.go door.go
//		hijack.go
//	identity: who a client is, and what it may use at once
//		peer_linux.go peer_other.go admit.go paces.go tally.go usage.go body.go policy.go bytoken.go bygrant.go bycertificate.go
//		session.go inbound.go
//	request: one request on its way, and why there is no answer to it
//		egress.go nextproxy.go fault.go placeholder.go recorder.go pass.go
//		exchange.go memory.go sent.go governed.go cached.go
//	upstream: connections to GitHub and elsewhere
//		pool.go carrier.go upstream.go
//	gateway: one request is decided about, gets its credential, and is sent on; its answer is looked at
//		options.go attend.go check.go guard.go receive.go clonetoken.go errors.go heal.go
//		links.go uncovered.go learn.go mapping.go log.go outcome.go upgrade.go forward.go
//		elsewhere.go ownpools.go generation.go gateway.go placeholder_sealed.go issue.go peek.go push.go
//		request.go
//	front door: listeners, CONNECT, tunnels, Replace and Shutdown
//		tunnels.go idle.go intercepted.go relay.go proxy.go destinations.go handshake.go
//		front.go identify.go goproxy.go refuse.go replace.go stats.go hello.go tunnel.go
//		tickets.go connect.go origin.go transparent.go tokenendpoint.go outer.go shutdown.go sharelimits.go serve.go
package proxy
