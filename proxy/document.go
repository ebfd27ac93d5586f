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
	if len(r.Header["Content-Encoding"]) > 0 || r.ContentLength > rules.MaxGraphQL {
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
	// A query string, or a form, might be merged with what was read here, and of
	// two types a server might take either.
	if r.URL.RawQuery != "" || !isJSON(r.Header["Content-Type"]) {
		document.Unclear = true
	}
	return &document, nil
}

// isJSON reports whether a body is of JSON and nothing else.
func isJSON(contentType []string) bool {
	if len(contentType) != 1 {
		return false
	}
	media, _, err := mime.ParseMediaType(contentType[0])
	return err == nil && media == "application/json"
}

// replayed is a body of which a part was read and put back.
type replayed struct {
	io.Reader
	io.Closer
}
