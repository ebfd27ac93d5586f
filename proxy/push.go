package proxy

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/decide"
	"ghapp-proxy/policy"
	"ghapp-proxy/replay"
)

const (
	// maxZippedHead bounds what is read of a compressed push to find its
	// command list: compressed data can be long and come to nothing.
	maxZippedHead = 1 << 20
	// maxDrain bounds what is read of a refused push. GitHub takes no more
	// (docs.github.com, "Troubleshooting the 2 GB push limit").
	maxDrain = 2 << 30
	// drainSome is how much of it has to come in each drainTime: nobody else is
	// waited for.
	drainSome, drainTime = 8 << 10, 800 * time.Millisecond
	// maxRemedies is how many different remedies git prints.
	maxRemedies = 3
	// maxAuditedRefs is how many refs of a push the audit log names.
	maxAuditedRefs = 100
)

// What is refused of a push because it cannot be read.
var (
	encodedPush = answer.Define(answer.Kind{
		Status: http.StatusUnsupportedMediaType, Code: answer.RequestError,
		Title: "%v", About: "a push with Content-Encoding … cannot be checked: send it as it is, or as gzip",
	})
	badPush = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title: "%v", About: "the list of refs of a push cannot be read",
	})
)

// checkPush decides about a push before anything of it leaves. It reads the
// command list and puts it back: the body goes on as it came, and streams.
func (x *exchange) checkPush(r *http.Request) *answer.Refusal {
	if !x.LooksIntoPush {
		return nil
	}
	defer since(&x.shares.client, time.Now())
	list, zipped, err := plainPush(r)
	if unread, ok := errors.AsType[*bodyError](err); ok {
		return unread.refusal(x.session.usage)
	}
	if err != nil {
		return encodedPush.Refuse(err)
	}
	push, err := policy.ReadPush(list)
	if unread, ok := errors.AsType[*bodyError](err); ok {
		return unread.refusal(x.session.usage)
	}
	if err != nil {
		refused := badPush.Refuse(err)
		x.refusePush(push.Fail("ghapp-proxy: " + refused.Title))
		return refused
	}
	if refused, report := x.decidePush(push); refused != nil {
		x.refusePush(report)
		return refused
	}
	head := push.Raw
	if zipped != nil {
		head = zipped.Bytes()
	}
	r.Body = replay.PutBack(head, r.Body)
	return nil
}

// plainPush returns a reader of the request's body that undoes its compression;
// zipped, nil for a body that has none, gets what was taken from it.
func plainPush(r *http.Request) (list io.Reader, zipped *bytes.Buffer, err error) {
	encodings := r.Header["Content-Encoding"]
	switch {
	case len(encodings) == 0:
		return r.Body, nil, nil
	case len(encodings) == 1 && (strings.EqualFold(encodings[0], "gzip") || strings.EqualFold(encodings[0], "x-gzip")):
		zipped = new(bytes.Buffer)
		unzipped, err := gzip.NewReader(io.TeeReader(io.LimitReader(r.Body, maxZippedHead), zipped))
		if err != nil {
			return nil, nil, fmt.Errorf("decompress a push: %w", err)
		}
		unzipped.Multistream(false) // git http-backend reads one member only
		return unzipped, zipped, nil
	default:
		return nil, nil, fmt.Errorf("a push with Content-Encoding %.40q cannot be checked: send it as it is, or as gzip", encodings)
	}
}

// decidePush asks about each ref. If one is refused, all are: what is left of a
// push would not be what its author meant.
func (x *exchange) decidePush(push *policy.Push) (*answer.Refusal, []byte) {
	var (
		first    *answer.Refusal
		reasons  = make(map[string]string) // ref → why it is refused
		remedies []string
	)
	for _, update := range push.Commands {
		if len(x.refs) < maxAuditedRefs {
			x.refs = append(x.refs, update.Ref)
		}
		refused := decide.Denied(x.session.client.DecideRef(update))
		if refused == nil {
			continue
		}
		reasons[update.Ref] = "ghapp-proxy: " + refused.Title
		if !slices.Contains(remedies, refused.Remedy) && len(remedies) < maxRemedies && refused.Remedy != "" {
			remedies = append(remedies, refused.Remedy)
		}
		if first == nil {
			copied := *refused
			copied.Title = fmt.Sprintf("push to %.200q refused: %s", update.Ref, refused.Title)
			first = &copied
		}
	}
	if first == nil {
		return nil, nil
	}
	if more := len(reasons) - 1; more > 0 {
		first.Title += fmt.Sprintf(" (and %d more)", more)
	}
	all := answer.Refusal{Title: strings.Join(append([]string{"nothing was pushed"}, remedies...), "; ")}
	return first, push.Refuse(reasons, x.session.refusal(&all, x.id).Message())
}

// refusePush makes report the answer to a push. It is nil for a client that
// asks for none, and is told by the status.
//
// The rest of the push is read first: git 2.39 prints no reason if the
// connection ends before it has sent all, which an early answer does not stop.
func (x *exchange) refusePush(report []byte) {
	if report == nil {
		return
	}
	x.pushReport = report
	if x.out.body == nil {
		return
	}
	x.out.body.discard(maxDrain, drainSome, drainTime) // a client that is gone reads no answer
}
