// Package cache keeps answers of GitHub's REST API, so that asking for them again
// costs none of GitHub's quota: a 304 is free, whoever asks with the right ETag.
//
//	c := cache.New(64 << 20)
//	question, ok := cache.QuestionOf(req, who) // req has the Authorization that leaves
//	…
//	if kept := c.Find(&question, req.Header, viewer, nil); kept != nil {
//		defer kept.Release()
//		etag, ok := kept.ETag(authorization) // for If-None-Match
//		… // GitHub answers 304
//		header, body := kept.Freshen(resp.Header, etag), kept.Body()
//	}
//	… // GitHub answers 200
//	resp.Body = c.Fill(&question, req, resp, viewer, nil)
//
// # GitHub's ETags
//
// The ETag of a REST answer is the SHA-256, in hexadecimal, of the values of Accept,
// Authorization and Cookie (those that Vary names and the request has, each with a
// ":" behind it) and of the body, as it is before it is compressed or printed for
// people to read. So it changes with the token, and can be computed for another
// one by whoever has the body. GitHub does not document that; it was found by
// github.com/bored-engineer/github-conditional-http-transport. Therefore an answer is of
// no use here before the ETag that came with it has been computed. Where that
// fails again and again, nothing is kept for a while.
//
// # Who gets what
//
// A body is given to nobody whom GitHub has not answered 304 for it a moment ago,
// with the ETag of the very token. What is kept is told apart by App and
// installation all the same.
//
// # Memory
//
// All that is kept, being received, or still being sent counts, with its fields and
// names. What was used least recently goes first. The memory of its body is used again
// for what comes, once nobody reads it any more; the little that waits for that counts.
//
// # Limitations
//
// Of content codings it knows gzip. Answers that hold signed URLs or clone tokens are not
// kept, as far as such are known by their form. Nothing survives the process but what Others keep.
package cache
