package proxy

import (
	"bytes"
	"io"
	"net/http"

	"ghapp-proxy/rules"
)

// readDocument reads the GraphQL document of a request, and puts the body back
// as it was. It returns nil for a body that is larger than rules.MaxGraphQL,
// compressed, or not understood: the request then names nobody.
func readDocument(r *http.Request) *rules.Document {
	if r.Header.Get("Content-Encoding") != "" || r.ContentLength > rules.MaxGraphQL {
		return nil
	}
	// An error is met again by whoever reads on.
	text, _ := io.ReadAll(io.LimitReader(r.Body, rules.MaxGraphQL+1))
	r.Body = replayed{io.MultiReader(bytes.NewReader(text), r.Body), r.Body}
	if len(text) > rules.MaxGraphQL {
		return nil
	}
	document, err := rules.GraphQL(text)
	if err != nil {
		return nil
	}
	return &document
}

// replayed is a body of which a part was read and put back.
type replayed struct {
	io.Reader
	io.Closer
}
