package proxy

import (
	"bytes"
	"io"
	"mime"
	"net/http"

	"ghapp-proxy/rules"
)

// parseDocument reads the GraphQL document of a request, and puts the body back
// as it was. It returns nil for a body that is larger than rules.MaxGraphQL,
// compressed, or not understood. The error is that of reading the body.
func parseDocument(r *http.Request) (*rules.Document, error) {
	if r.Header.Get("Content-Encoding") != "" || r.ContentLength > rules.MaxGraphQL {
		return nil, nil
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, rules.MaxGraphQL+1))
	if err != nil {
		return nil, err
	}
	r.Body = replayed{io.MultiReader(bytes.NewReader(text), r.Body), r.Body}
	if len(text) > rules.MaxGraphQL {
		return nil, nil
	}
	document, err := rules.GraphQL(text)
	if err != nil {
		return nil, nil // it is for GitHub to say
	}
	// A query string, or a form, might be merged with what was read here.
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.URL.RawQuery != "" || media != "application/json" {
		document.Unclear = true
	}
	return &document, nil
}

// replayed is a body of which a part was read and put back.
type replayed struct {
	io.Reader
	io.Closer
}
